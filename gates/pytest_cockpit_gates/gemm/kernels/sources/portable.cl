// A tile of TM x TN elements of C for each work-item, in private memory: no vectors, no local
// memory, no extension, so that any OpenCL 1.1 device can run it.
__kernel void gemm(const int m, const int n, const int k, const float alpha, const float beta,
                   __global const float *a, __global const float *b, __global float *c)
{
    const int j0 = get_global_id(0) * TN;
    const int i0 = get_global_id(1) * TM;
    if (i0 >= m || j0 >= n)
        return;
    // At the edges rows and columns are read twice instead of past the end; they are not written.
    //@ for i in TM
    __global const float *a@{i} = a + (size_t)min(i0 + @{i}, m - 1) * k;
    //@ end
    //@ for j in TN
    __global const float *b@{j} = b + min(j0 + @{j}, n - 1);
    //@ end
    //@ for i in TM
    //@ for j in TN
    float c@{i}_@{j} = 0.0f;
    //@ end
    //@ end
    for (int p = 0; p < k; ++p) {
        const size_t at = (size_t)p * n;
        //@ for i in TM
        const float u@{i} = a@{i}[p];
        //@ end
        //@ for j in TN
        const float v@{j} = b@{j}[at];
        //@ end
        //@ for i in TM
        //@ for j in TN
        c@{i}_@{j} = mad(u@{i}, v@{j}, c@{i}_@{j});
        //@ end
        //@ end
    }
    //@ for i in TM
    //@ for j in TN
    if (i0 + @{i} < m && j0 + @{j} < n) {
        __global float *at = c + (size_t)(i0 + @{i}) * n + j0 + @{j};
        *at = beta == 0.0f ? alpha * c@{i}_@{j} : mad(alpha, c@{i}_@{j}, beta * *at);
    }
    //@ end
    //@ end
}
