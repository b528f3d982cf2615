// Long to compile and short to run: tells whether a driver compiles at every launch. SALT makes it
// a kernel that nobody has compiled before.
__kernel void probe(const int turns, __global float *c)
{
    const int at = get_global_id(0);
    //@ for i in SUMS
    float c@{i} = c[at] + @{i} * 1e-3f;
    //@ end
    for (int p = 0; p < turns; ++p) {
        const float x = p * 1e-9f + SALT * 1e-9f;
        //@ for i in SUMS
        c@{i} = mad(x, c@{i}, c[@{i}]);
        //@ end
    }
    float sum = 0.0f;
    //@ for i in SUMS
    sum += c@{i};
    //@ end
    c[at] = sum;
}
