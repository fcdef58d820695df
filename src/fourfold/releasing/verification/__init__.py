"""The checks of a package by somebody who does not trust it: nothing is followed, unpickled or read without bounds."""
