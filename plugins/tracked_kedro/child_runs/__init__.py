"""One child run per key of a mapped namespace, found again and never duplicated."""
