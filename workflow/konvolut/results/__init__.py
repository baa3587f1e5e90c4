"""What is kept: the layout of the HDF5 files and the plain objects in them."""
