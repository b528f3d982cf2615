// Local tiles and register blocking, for GPUs: a group of WX x WY work-items computes a tile of
// WY*TM x WX*TN elements of C; slices of A and B, KT deep, are shared in local memory. A work-item
// keeps TM x TN elements in registers, WY and WX apart, so that neighbours read neighbours.
#define BM (WY * TM)
#define BN (WX * TN)
#define ITEMS (WX * WY)

__kernel __attribute__((reqd_work_group_size(WX, WY, 1)))
void gemm(const int m, const int n, const int k, const float alpha, const float beta,
          __global const float *a, __global const float *b, __global float *c)
{
    // One more column, for A is written down the columns: else all of a column lies in one bank.
    __local float left[KT][BM + 1];
    __local float right[KT][BN];
    const int x = get_local_id(0);
    const int y = get_local_id(1);
    const int item = y * WX + x;
    const int i0 = get_group_id(1) * BM;
    const int j0 = get_group_id(0) * BN;
    //@ for i in TM
    //@ for j in TN
    float c@{i}_@{j} = 0.0f;
    //@ end
    //@ end
    for (int p0 = 0; p0 < k; p0 += KT) {
        for (int at = item; at < BM * KT; at += ITEMS) {
            const int i = i0 + at / KT;
            const int p = p0 + at % KT;
            left[at % KT][at / KT] = i < m && p < k ? a[(size_t)i * k + p] : 0.0f;
        }
        for (int at = item; at < BN * KT; at += ITEMS) {
            const int p = p0 + at / BN;
            const int j = j0 + at % BN;
            right[at / BN][at % BN] = p < k && j < n ? b[(size_t)p * n + j] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int p = 0; p < KT; ++p) {
            //@ for i in TM
            const float u@{i} = left[p][@{i} * WY + y];
            //@ end
            //@ for j in TN
            const float v@{j} = right[p][@{j} * WX + x];
            //@ end
            //@ for i in TM
            //@ for j in TN
            c@{i}_@{j} = mad(u@{i}, v@{j}, c@{i}_@{j});
            //@ end
            //@ end
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    //@ for i in TM
    //@ for j in TN
    {
        const int i = i0 + @{i} * WY + y;
        const int j = j0 + @{j} * WX + x;
        if (i < m && j < n) {
            __global float *at = c + (size_t)i * n + j;
            // C is not even read where beta is 0: it may hold anything.
            *at = beta == 0.0f ? alpha * c@{i}_@{j} : mad(alpha, c@{i}_@{j}, beta * *at);
        }
    }
    //@ end
    //@ end
}
