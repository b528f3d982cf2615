// For each row of a matrix: its products with P vectors, and the weighted sum of its squares.
// `vectors` has P + 1 planes of `columns` numbers, the last of which are the weights; `out` has as
// many planes of `height` numbers, so that the result of one matrix is the argument of the next.
// A group is one work-item, for a CPU device runs each on one thread; it takes `chunk` rows.
#define SUM8(v) ((((v).s0 + (v).s4) + ((v).s1 + (v).s5)) + (((v).s2 + (v).s6) + ((v).s3 + (v).s7)))

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void rows(const int height, const int columns, const int chunk,
          __global const float *restrict matrix, __global const float *restrict vectors,
          __global float *restrict out)
{
    const int end = min(height, (int)(get_group_id(0) + 1) * chunk);
    const int even = columns / 16 * 16;
    //@ for q in P
    __global const float *vector@{q} = vectors + (size_t)@{q} * columns;
    //@ end
    __global const float *weights = vectors + (size_t)P * columns;
    for (int i = get_group_id(0) * chunk; i < end; ++i) {
        __global const float *row = matrix + (size_t)i * columns;
        //@ for h in 2
        //@ for q in P
        float8 sum@{q}_@{h} = 0.0f;
        //@ end
        float8 square@{h} = 0.0f;
        //@ end
        for (int j = 0; j < even; j += 16) {
            //@ for h in 2
            const float8 x@{h} = vload8(@{h}, row + j);
            //@ for q in P
            sum@{q}_@{h} = mad(x@{h}, vload8(@{h}, vector@{q} + j), sum@{q}_@{h});
            //@ end
            square@{h} = mad(x@{h} * x@{h}, vload8(@{h}, weights + j), square@{h});
            //@ end
        }
        //@ for q in P
        const float8 lanes@{q} = sum@{q}_0 + sum@{q}_1;
        float last@{q} = SUM8(lanes@{q});
        //@ end
        const float8 lanes = square0 + square1;
        float last = SUM8(lanes);
        for (int j = even; j < columns; ++j) {
            //@ for q in P
            last@{q} = mad(row[j], vector@{q}[j], last@{q});
            //@ end
            last = mad(row[j] * row[j], weights[j], last);
        }
        //@ for q in P
        out[(size_t)@{q} * height + i] = last@{q};
        //@ end
        out[(size_t)P * height + i] = last;
    }
}
