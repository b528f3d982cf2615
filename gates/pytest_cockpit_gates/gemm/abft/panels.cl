// Put behind the text of packed panels: the same packing with the sums of the check taken on the
// way, so that A and B are read once for both, and the sums of C while it still lies in the caches.
//
// It is the check of the transposed product: with w of plus and minus one for each row of C,
// w C = (w A) B, and what is judged is a column. Along columns all of it is sums of vectors.
// `signs` are two such w; planes 0 and 1 of all sums belong to them, plane 2 to the squares.
//
// Where a row ends within a vector the vector is read all the same, as long as the matrix does not
// end there: what follows is the beginning of another row, and its sums are of nothing.

// Adds a tile of C, which begins at row i, to the sums of its columns; the `first` one of a group
// begins them. C is read back from where it was written, and not remembered.
static void taken_of_c(const int m, const int n, const int i, const int j, const int first,
                       __global const float *c, __global const float *signs,
                       __global float *to, const size_t stride)
{
    const int rows = min(MR, m - i);
    __global const volatile float *from = c + (size_t)i * n + (size_t)j * NR;
    to += (size_t)j * NR;
    if ((size_t)(i + MR - 1) * n + (size_t)(j + 1) * NR <= (size_t)m * n) {
        //@ for r in MR
        const float w0_@{r} = signs[i + @{r}], w1_@{r} = signs[m + i + @{r}];
        //@ end
        //@ for s in NV
        {
            to_vectors at0 = (to_vectors)to + @{s}, at1 = (to_vectors)(to + stride) + @{s},
                       at2 = (to_vectors)(to + 2 * stride) + @{s};
            vec sum0 = 0.0f, sum1 = 0.0f, sum2 = 0.0f;
            if (!first) {
                sum0 = *at0;
                sum1 = *at1;
                sum2 = *at2;
            }
            //@ for r in MR
            {
                const vec x = ((__global const volatile loose *)(from + (size_t)@{r} * n))[@{s}];
                sum0 = fma((vec)w0_@{r}, x, sum0);
                sum1 = fma((vec)w1_@{r}, x, sum1);
                sum2 = fma(x, x, sum2);
            }
            //@ end
            *at0 = sum0;
            *at1 = sum1;
            *at2 = sum2;
        }
        //@ end
        return;
    }
    const int columns = min(NR, n - j * NR);
    for (int s = 0; s < NR; ++s) {
        float sum0 = first ? 0.0f : to[s];
        float sum1 = first ? 0.0f : to[stride + s];
        float sum2 = first ? 0.0f : to[2 * stride + s];
        if (s < columns)
            for (int r = 0; r < rows; ++r) {
                const float x = from[(size_t)r * n + s];
                sum0 = fma(signs[i + r], x, sum0);
                sum1 = fma(signs[m + i + r], x, sum1);
                sum2 = fma(x, x, sum2);
            }
        to[s] = sum0;
        to[stride + s] = sum1;
        to[2 * stride + s] = sum2;
    }
}

// The residuals of the columns of a panel by their tolerances: infinite where either is no finite
// number. `lefts` and `rights` are how many parts of the sums of C and of A B there are.
static void judged(const int n, const int j, const int lefts, const int rights, const float alpha,
                   const float4 told, __global const float *c, __global const float *ab,
                   __global float *shares)
{
    const size_t wide = (size_t)((n + NR - 1) / NR) * NR;
    for (size_t at = (size_t)j * NR; at < (size_t)(j + 1) * NR; at += VW) {
        vec sum0 = 0.0f, sum1 = 0.0f, squares = 0.0f, other0 = 0.0f, other1 = 0.0f, terms = 0.0f;
        for (int part = 0; part < lefts; ++part) {
            __global const float *from = c + (size_t)part * 3 * wide + at;
            sum0 += *(from_vectors)from;
            sum1 += *(from_vectors)(from + wide);
            squares += *(from_vectors)(from + 2 * wide);
        }
        for (int part = 0; part < rights; ++part) {
            __global const float *from = ab + (size_t)part * 3 * wide + at;
            other0 += *(from_vectors)from;
            other1 += *(from_vectors)(from + wide);
            terms += *(from_vectors)(from + 2 * wide);
        }
        const vec tolerance = sqrt(told.x * squares + told.y * terms) + told.z;
        const vec off0 = fabs(sum0 - alpha * other0), off1 = fabs(sum1 - alpha * other1);
        const vec share = fmax(off0, off1) / tolerance;
        *(to_vectors)(shares + at) =
            (off0 <= tolerance && off1 <= tolerance && isfinite(tolerance)) ? share
                                                                            : (vec)INFINITY;
    }
}

// Whoever is the last of the groups above each other judges their columns; whoever is the last of
// these leaves behind all shares the worst of them, infinite if any is flagged, and the `stamp` of
// this product.
static void finished(const int n, const int g, const int across, const int j0, const int j1,
                     const int lefts, const int rights, const float alpha, const float4 told,
                     const int stamp, __global const float *c, __global const float *ab,
                     __global float *shares, volatile __global int *counters)
{
    mem_fence(CLK_GLOBAL_MEM_FENCE);
    if (atomic_inc(counters + g % across) != lefts - 1)
        return;
    mem_fence(CLK_GLOBAL_MEM_FENCE);
    for (int j = j0; j < j1; ++j)
        judged(n, j, lefts, rights, alpha, told, c, ab, shares);
    __global float *worst = shares + (size_t)((n + NR - 1) / NR) * NR;
    float mine = 0.0f;
    for (int at = j0 * NR; at < min(j1 * NR, n); ++at)
        mine = shares[at] <= 1.0f ? fmax(mine, shares[at]) : INFINITY;
    worst[2 + g % across] = mine;
    mem_fence(CLK_GLOBAL_MEM_FENCE);
    if (atomic_inc(counters + across) != across - 1)
        return;
    mem_fence(CLK_GLOBAL_MEM_FENCE);
    for (int it = 0; it < across; ++it)
        mine = fmax(mine, worst[2 + it]);
    worst[0] = mine;
    worst[1] = stamp;
}

// A band of panels of A, one block along k. `band` sums of each plane, k numbers each, come out.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) WIDE
void pack_left(const int m, const int k, const int kc, const int band,
               __global const float *restrict a, __global float *restrict pa,
               __global const float *restrict pool, const int from_sign,
               __global float *restrict out, __global int *restrict counters, const int across)
{
    __global const float *signs = pool + from_sign;
    if (get_group_id(0) == 0 && get_group_id(1) == 0)
        for (int it = 0; it <= across; ++it)
            counters[it] = 0;
    const int panels = (m + MR - 1) / MR;
    const size_t high = (size_t)panels * MR;
    const int p0 = get_group_id(1) * kc;
    const int depth = min(kc, k - p0);
    const int last = min(panels, (int)(get_group_id(0) + 1) * band);
    float sums[3][KC + VW];
    for (int p = 0; p < depth + VW; ++p)
        sums[0][p] = sums[1][p] = sums[2][p] = 0.0f;
    for (int g = get_group_id(0) * band; g < last; ++g) {
        const int i0 = g * MR;
        __global float *to = pa + p0 * high + (size_t)i0 * depth;
        const int rows = min(MR, m - i0);
        int taken = 0;
        if (rows == MR) {
            //@ for r in MR
            __global const float *row@{r} = a + (size_t)(i0 + @{r}) * k + p0;
            const float w0_@{r} = signs[i0 + @{r}], w1_@{r} = signs[m + i0 + @{r}];
            //@ end
            for (int p = 0; p < depth; ++p, to += MR) {
                //@ for r in MR
                to[@{r}] = row@{r}[p];
                //@ end
            }
            const size_t room = (size_t)(m - i0 - MR + 1) * k - p0;
            for (; taken < depth && taken + VW <= room; taken += VW) {
                const int p = taken;
                vec sum0 = *(loose *)(sums[0] + p);
                vec sum1 = *(loose *)(sums[1] + p);
                vec sum2 = *(loose *)(sums[2] + p);
                //@ for r in MR
                {
                    const vec x = *(from_vectors)(row@{r} + p);
                    sum0 = fma((vec)w0_@{r}, x, sum0);
                    sum1 = fma((vec)w1_@{r}, x, sum1);
                    sum2 = fma(x, x, sum2);
                }
                //@ end
                *(loose *)(sums[0] + p) = sum0;
                *(loose *)(sums[1] + p) = sum1;
                *(loose *)(sums[2] + p) = sum2;
            }
        } else {
            for (int p = 0; p < depth; ++p, to += MR)
                for (int r = 0; r < MR; ++r)
                    to[r] = r < rows ? a[(size_t)(i0 + r) * k + p0 + p] : 0.0f;
        }
        for (int r = 0; r < rows; ++r)
            for (int p = taken; p < depth; ++p) {
                const float x = a[(size_t)(i0 + r) * k + p0 + p];
                sums[0][p] += signs[i0 + r] * x;
                sums[1][p] += signs[m + i0 + r] * x;
                sums[2][p] += x * x;
            }
    }
    out += (size_t)get_group_id(0) * 3 * k + p0;
    for (int q = 0; q < 3; ++q, out += k)
        for (int p = 0; p < depth; ++p)
            out[p] = sums[q][p];
}

// A panel of B, one block along k: `left` are the sums of A, of that many bands.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) WIDE
void pack_right(const int n, const int k, const int kc, const int bands,
                __global const float *restrict b, __global float *restrict pb,
                __global const float *restrict left, __global float *restrict out)
{
    const size_t wide = (size_t)((n + NR - 1) / NR) * NR;
    const int p0 = get_group_id(1) * kc;
    const int depth = min(kc, k - p0);
    const int j0 = get_group_id(0) * NR;
    float sums[3][KC + VW];
    for (int q = 0; q < 3; ++q) {
        for (int p = 0; p < depth; ++p)
            sums[q][p] = left[(size_t)q * k + p0 + p];
        for (int band = 1; band < bands; ++band)
            for (int p = 0; p < depth; ++p)
                sums[q][p] += left[((size_t)band * 3 + q) * k + p0 + p];
    }
    __global const float *from = b + (size_t)p0 * n + j0;
    __global float *to = pb + p0 * wide + (size_t)j0 * depth;
    out += (size_t)get_group_id(1) * 3 * wide + j0;
    const int whole = clamp(k + 1 - (j0 + NR + n - 1) / n - p0, 0, depth);
    //@ for s in NV
    vec sum0_@{s} = 0.0f, sum1_@{s} = 0.0f, sum2_@{s} = 0.0f;
    //@ end
    for (int p = 0; p < whole; ++p, from += n, to += NR) {
        const float left0 = sums[0][p], left1 = sums[1][p], left2 = sums[2][p];
        //@ for s in NV
        {
            const vec x = ((from_vectors)from)[@{s}];
            ((to_vectors)to)[@{s}] = x;
            sum0_@{s} = fma((vec)left0, x, sum0_@{s});
            sum1_@{s} = fma((vec)left1, x, sum1_@{s});
            sum2_@{s} = fma(left2 * x, x, sum2_@{s});
        }
        //@ end
    }
    //@ for s in NV
    ((to_vectors)out)[@{s}] = sum0_@{s};
    ((to_vectors)(out + wide))[@{s}] = sum1_@{s};
    ((to_vectors)(out + 2 * wide))[@{s}] = sum2_@{s};
    //@ end
    for (int p = whole; p < depth; ++p, from += n, to += NR)
        for (int s = 0; s < NR; ++s) {
            const float x = j0 + s < n ? from[s] : 0.0f;
            to[s] = x;
            out[s] += sums[0][p] * x;
            out[wide + s] += sums[1][p] * x;
            out[2 * wide + s] += sums[2][p] * x * x;
        }
}

// The sums of C again, as a product takes them, and judged: for what happened to C afterwards.
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) WIDE
void look(const int m, const int n, __global const float *c, const int tall, const int rights,
          const float alpha, const float4 told, __global const float *pool, const int from_sign,
          __global float *sums, __global const float *ab, __global float *shares)
{
    const int high = (m + MR - 1) / MR;
    const int lefts = (high + tall - 1) / tall;
    const size_t stride = (size_t)((n + NR - 1) / NR) * NR;
    const int j = get_group_id(0);
    for (int i = 0; i < high; ++i)
        taken_of_c(m, n, i * MR, j, i % tall == 0, c, pool + from_sign,
                   sums + (size_t)(i / tall) * 3 * stride, stride);
    judged(n, j, lefts, rights, alpha, told, sums, ab, shares);
}
