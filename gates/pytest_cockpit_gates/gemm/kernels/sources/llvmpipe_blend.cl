// C = alpha S + beta C, where S has `pitch` floats in a row and C has n.
__kernel void blend(const int n, const int pitch, const float alpha, const float beta,
                    __global const float *s, __global float *c)
{
    const int j = get_global_id(0);
    const int i = get_global_id(1);
    if (j >= n)
        return;
    const float sum = s[(size_t)i * pitch + j];
    const size_t at = (size_t)i * n + j;
    // C is not even read where beta is 0: it may hold anything.
    c[at] = beta == 0.0f ? alpha * sum : mad(alpha, sum, beta * c[at]);
}
