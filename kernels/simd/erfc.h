/* The complementary error function of a VEC of numbers >= 0; to be included after exp.h.

   erfc(z) = e^-z^2 P(t) / (1 + 2 z) with t = (z - 3.75) / (z + 3.75): Shepherd & Laframboise 1981.
   P is the Chebyshev series of (1 + 2 z) e^z^2 erfc(z) over t in [-1, 1], in powers of t: their
   coefficients sum to 1.8 in size, so nothing cancels. Right to a few units in the last place, but
   for what e^-z^2 loses far out, where the values are small. NaN passes. */

/* erfc(z) for z >= 0, and e^-z^2. */
INLINE VEC NAME(erfc_above)(VEC z, VEC *gauss)
{
    const int single = sizeof(REAL) == 4;
    static const float c[] = {
        -2.2411674674e-4f, 3.9630761299e-4f, 1.675912218e-3f, -9.8444948597e-3f,
        2.8409252364e-2f, -5.8646858736e-2f, 9.2290769591e-2f, -1.0881427015e-1f,
        8.2278419983e-2f, 3.586270394e-3f, -1.4024065832e-1f, 1.2375126193f};
    static const double d[] = {
        3.111433380979925199e-10, -2.623107347133475761e-9, -3.744210080962018644e-9,
        3.197926671666804292e-8, 2.326350870885912373e-8, -2.485712624801674287e-7,
        -5.72182306032240875e-8, 1.741982158622481592e-6, -9.735598967367749341e-7,
        -1.143804803334689355e-5, 2.238423915508222982e-5, 5.164652974177416126e-5,
        -2.90154080540841711e-4, 2.937143780449580299e-4, 1.755625852895295357e-3,
        -9.746579683265262231e-3, 2.836227741895640429e-2, -5.86933985766493384e-2,
        9.230432116037747776e-2, -1.088039301424446127e-1, 8.227673849014520768e-2,
        3.585415485479025638e-3, -1.402405985855469624e-1, 1.237512630837827529};
    /* There erfc is 0 in either precision. */
    z = SELECT(z > 30, SPLAT(30), z);
    VEC t = (z - (REAL)3.75) / (z + (REAL)3.75);
    VEC p = SPLAT(single ? (REAL)c[0] : (REAL)d[0]);
    for (int i = 1; i < (single ? 12 : 24); i++)
        p = p * t + (single ? (REAL)c[i] : (REAL)d[i]);
    *gauss = EXP_BELOW(-(z * z));
    return *gauss * p / (z * 2 + 1);
}
