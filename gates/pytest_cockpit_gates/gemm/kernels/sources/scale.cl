// C = beta C, for products of nothing.
__kernel void scale(const int m, const int n, const float beta, __global float *c)
{
    const int j = get_global_id(0);
    const int i = get_global_id(1);
    if (i >= m || j >= n)
        return;
    const size_t at = (size_t)i * n + j;
    c[at] = beta == 0.0f ? 0.0f : beta * c[at];
}
