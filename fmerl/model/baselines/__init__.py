"""The systems that FMERL is compared with, one file each, implemented from their papers."""
