// C = AB for Mesa's llvmpipe, read as texels of four floats.
//
// llvmpipe reads memory one work-item after the other, in a loop with branches; a texel it fetches
// for all eight work-items of a vector at once, without any. So matrices are images: A of texels
// along k, B of texels along n, both with zeros up to a whole texel, and up to whole steps along k.
// A work-item has ROWS x 4 TEXELS sums in private memory; eight of them, side by side, are a group.
//
// BUFFERS: images are the memory of the matrices themselves; else they are two-dimensional.
// STEP: texels of A in one turn of the loop. Each turn costs a masked store for each sum.
#define LANES 8
#if BUFFERS
#define IMAGE __read_only image1d_buffer_t
#define SAMPLER
#define LEFT(row, at) read_imagef(a, row + (at))
#define RIGHT(column, at) read_imagef(b, column + (at) * width)
#define ROW(i) min(i0 + (i), m - 1) * depth
#else
#define IMAGE __read_only image2d_t
#define SAMPLER , const sampler_t nearest
#define LEFT(row, at) read_imagef(a, nearest, (int2)(at, row))
#define RIGHT(column, at) read_imagef(b, nearest, (int2)(column, at))
#define ROW(i) min(i0 + (i), m - 1)
#endif

// m: rows of C. width: texels of a row of B and of C. depth: texels of a row of A.
__attribute__((reqd_work_group_size(LANES, 1, 1)))
__kernel void gemm(const int m, const int width, const int depth, IMAGE a, IMAGE b,
                   __global ulong *c SAMPLER)
{
    const int i0 = get_group_id(1) * ROWS;
    const int j0 = get_group_id(2) * (LANES * TEXELS) + get_local_id(0);
    // At the edges rows and columns are read twice instead of past the end; they are not written.
    //@ for i in ROWS
    const int row@{i} = ROW(@{i});
    //@ end
    //@ for j in TEXELS
    const int column@{j} = min(j0 + LANES * @{j}, width - 1);
    //@ end
    //@ for i in ROWS
    //@ for j in TEXELS
    float4 c@{i}_@{j} = (float4)(0.0f);
    //@ end
    //@ end
    for (int p = 0; p < depth; p += STEP) {
        //@ for s in STEP
        //@ for q in 4
        //@ for j in TEXELS
        const float4 b@{s}_@{q}_@{j} = RIGHT(column@{j}, 4 * (p + @{s}) + @{q});
        //@ end
        //@ end
        //@ end
        //@ for i in ROWS
        {
            //@ for s in STEP
            const float4 a@{s} = LEFT(row@{i}, p + @{s});
            //@ end
            //@ for s in STEP
            //@ for q in 4
            //@ for j in TEXELS
            //@ for x in 4
            c@{i}_@{j}.s@{x} = mad(a@{s}.s@{q}, b@{s}_@{q}_@{j}.s@{x}, c@{i}_@{j}.s@{x});
            //@ end
            //@ end
            //@ end
            //@ end
        }
        //@ end
    }
    //@ for j in TEXELS
    if (j0 + LANES * @{j} < width) {
        __global ulong *at = c + 2 * ((size_t)i0 * width + column@{j});
        //@ for i in ROWS
        if (i0 + @{i} < m) {
            at[0] = as_ulong(c@{i}_@{j}.lo);
            at[1] = as_ulong(c@{i}_@{j}.hi);
            at += 2 * width;
        }
        //@ end
    }
    //@ end
}
