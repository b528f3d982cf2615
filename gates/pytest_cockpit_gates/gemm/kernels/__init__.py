"""Kernels: OpenCL sources as templates, their variants, and running them on a device."""
