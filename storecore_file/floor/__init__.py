"""The floor: the only code of this backend that touches the disk.

`disk` replaces and reads whole files, `appending` grows logs, `locks` keeps writers apart, `names`
turns any name into a file name, `sealing` lets a line of JSON prove that it is whole.
"""
