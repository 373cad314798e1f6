"""The file system: the only package of this backend that touches the disk."""
