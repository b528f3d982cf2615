// Packed panels in the manner of Goto and van de Geijn (2008), for CPUs: A is packed into panels of
// MR rows, B into panels of NR columns, both cut along k into blocks of kc that stay in the caches.
// A tile of MR x NR elements of C is kept in registers, named one by one, while one panel of each
// streams past. A work-group is one work-item, for a CPU's driver runs each on one thread.
//
// VW is the number of floats in a vector, NV that of vectors in a row of the tile.
#if defined(__has_attribute)
#if __has_attribute(min_vector_width)
// Without it LLVM cuts vectors of 512 bits in two on many CPUs that have them.
#define WIDE __attribute__((min_vector_width(512)))
#endif
#endif
#ifndef WIDE
#define WIDE
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define vec JOIN(float, VW)
#define NR (VW * NV)
// Vectors that lie anywhere: PoCL takes vloadn and vstoren apart.
typedef vec loose __attribute__((aligned(4)));
typedef __global loose *to_vectors;
typedef __global const loose *from_vectors;

// Fused where the variant says so and the CPU can; else bit by bit as on drivers that cannot.
#if FUSED && (defined(__FMA__) || defined(__ARM_FEATURE_FMA))
#define MAD fma
#else
#define MAD mad
#endif

// Both matrices in one launch: the groups below the number of A's panels pack one of those each,
// the others one of B. What lies past an edge is 0.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) WIDE
void pack(const int m, const int n, const int k, const int kc,
          __global const float *restrict a, __global const float *restrict b,
          __global float *restrict pa, __global float *restrict pb)
{
    const int panels = (m + MR - 1) / MR;
    const size_t high = (size_t)panels * MR;
    const size_t wide = (size_t)((n + NR - 1) / NR) * NR;
    const int g = get_group_id(0);
    const int p0 = get_group_id(1) * kc;
    const int depth = min(kc, k - p0);
    if (g < panels) {
        const int i0 = g * MR;
        __global float *to = pa + p0 * high + (size_t)i0 * depth;
        if (i0 + MR <= m) {
            //@ for r in MR
            __global const float *row@{r} = a + (size_t)(i0 + @{r}) * k + p0;
            //@ end
            for (int p = 0; p < depth; ++p, to += MR) {
                //@ for r in MR
                to[@{r}] = row@{r}[p];
                //@ end
            }
        } else {
            for (int p = 0; p < depth; ++p, to += MR)
                for (int r = 0; r < MR; ++r)
                    to[r] = i0 + r < m ? a[(size_t)(i0 + r) * k + p0 + p] : 0.0f;
        }
    } else {
        const int j0 = (g - panels) * NR;
        __global const float *from = b + (size_t)p0 * n + j0;
        __global float *to = pb + p0 * wide + (size_t)j0 * depth;
        if (j0 + NR <= n) {
            for (int p = 0; p < depth; ++p, from += n, to += NR) {
                //@ for s in NV
                ((to_vectors)to)[@{s}] = ((from_vectors)from)[@{s}];
                //@ end
            }
        } else {
            for (int p = 0; p < depth; ++p, from += n, to += NR)
                for (int s = 0; s < NR; ++s)
                    to[s] = j0 + s < n ? from[s] : 0.0f;
        }
    }
}

// A group computes `tall` panels of A times `broad` panels of B; `across` groups make a row of C.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) WIDE
void multiply(const int m, const int n, const int k, const int kc,
              const float alpha, const float beta,
              __global const float *restrict pa, __global const float *restrict pb,
              __global float *restrict c, const int tall, const int broad, const int across)
{
    const int high = (m + MR - 1) / MR;
    const int wide = (n + NR - 1) / NR;
    const int g = get_group_id(0);
    const int i0 = g / across * tall;
    const int i1 = min(i0 + tall, high);
    const int j0 = g % across * broad;
    const int j1 = min(j0 + broad, wide);
    for (int p0 = 0; p0 < k; p0 += kc) {
        const int depth = min(kc, k - p0);
        __global const float *block_a = pa + (size_t)p0 * high * MR;
        __global const float *block_b = pb + (size_t)p0 * wide * NR;
        for (int j = j0; j < j1; ++j) {
            for (int i = i0; i < i1; ++i) {
                __global const float *u = block_a + (size_t)i * MR * depth;
                __global const float *v = block_b + (size_t)j * NR * depth;
                __global float *tile = c + (size_t)i * MR * n + (size_t)j * NR;
                //@ for r in MR
                //@ for s in NV
                vec c@{r}_@{s} = 0.0f;
                //@ end
                //@ end
                for (int p = 0; p < depth; ++p, u += MR, v += NR) {
                    //@ for s in NV
                    const vec v@{s} = ((from_vectors)v)[@{s}];
                    //@ end
                    //@ for r in MR
                    const vec u@{r} = u[@{r}];
                    //@ for s in NV
                    c@{r}_@{s} = MAD(u@{r}, v@{s}, c@{r}_@{s});
                    //@ end
                    //@ end
                }
                if (i * MR + MR <= m && j * NR + NR <= n) {
                    // C is not even read where beta is 0: it may hold anything.
                    if (p0 || beta != 0.0f) {
                        const float keep = p0 ? 1.0f : beta;
                        //@ for r in MR
                        {
                            to_vectors row = (to_vectors)(tile + (size_t)@{r} * n);
                            //@ for s in NV
                            row[@{s}] = MAD((vec)alpha, c@{r}_@{s}, keep * row[@{s}]);
                            //@ end
                        }
                        //@ end
                    } else {
                        //@ for r in MR
                        {
                            to_vectors row = (to_vectors)(tile + (size_t)@{r} * n);
                            //@ for s in NV
                            row[@{s}] = alpha * c@{r}_@{s};
                            //@ end
                        }
                        //@ end
                    }
                } else {
                    vec edge[MR * NV];
                    const float *sums = (const float *)edge;
                    //@ for r in MR
                    //@ for s in NV
                    edge[@{r} * NV + @{s}] = c@{r}_@{s};
                    //@ end
                    //@ end
                    const int rows = min(MR, m - i * MR);
                    const int columns = min(NR, n - j * NR);
                    const float keep = p0 ? 1.0f : beta;
                    for (int r = 0; r < rows; ++r) {
                        for (int s = 0; s < columns; ++s) {
                            __global float *at = tile + (size_t)r * n + s;
                            const float sum = sums[r * NR + s];
                            *at = keep == 0.0f ? alpha * sum : MAD(alpha, sum, keep * *at);
                        }
                    }
                }
            }
        }
    }
}
