"""GEMM: objectives of float32 matrix multiplication on OpenCL platforms."""
