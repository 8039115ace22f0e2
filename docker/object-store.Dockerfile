# An upstream object store with a data folder that any user of group 0 can write to: a fresh named volume takes the
# folder's owner and mode from the image, and neither store then needs root.
ARG STORE_IMAGE
FROM ${STORE_IMAGE}

USER root
RUN mkdir -p /objects && chgrp 0 /objects && chmod 0770 /objects
USER 50000:0
