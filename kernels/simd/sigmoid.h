/* The sigmoid and the hyperbolic tangent of a VEC; to be included after exp.h. */

#undef SIGN_BIT
#define SIGN_BIT ((INTEGER)(sizeof(REAL) == 4 ? INT32_MIN : INT64_MIN))

/* size with the sign of x where size is at least 0. */
INLINE VEC NAME(signed_as)(VEC x, VEC size)
{
    MASK sign, bits;
    memcpy(&sign, &x, sizeof(sign));
    memcpy(&bits, &size, sizeof(bits));
    bits |= sign & SIGN_BIT;
    memcpy(&size, &bits, sizeof(size));
    return size;
}

/* |x|, of NaN too. */
INLINE VEC NAME(magnitude)(VEC x)
{
    MASK bits;
    memcpy(&bits, &x, sizeof(bits));
    bits &= ~SIGN_BIT;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* 1 / (1 + e^-x), from e^-|x|, which does not overflow. */
INLINE VEC NAME(sigmoid)(VEC x)
{
    VEC e = EXP_BELOW(-NAME(magnitude)(x));
    return SELECT(x < 0, e, SPLAT(1)) / (e + 1);
}

/* Near 0, where 1 - e^-2|x| would lose its digits, a polynomial in x^2 (in double a quotient of
   two); coefficients from Moshier's Cephes. */
INLINE VEC NAME(tanh)(VEC x)
{
    VEC size = NAME(magnitude)(x), e = EXP_BELOW(size * -2), far = (1 - e) / (e + 1), z = x * x, p;
    if (sizeof(REAL) == 4) {
        p = z * (REAL)-5.70498872745e-3 + (REAL)2.06390887954e-2;
        p = p * z + (REAL)-5.37397155531e-2;
        p = p * z + (REAL)1.33314422036e-1;
        p = p * z + (REAL)-3.33332819422e-1;
    } else {
        p = z * (REAL)-9.64399179425052238628e-1 + (REAL)-9.92877231001918586564e1;
        p = p * z + (REAL)-1.61468768441708447952e3;
        VEC q = z + (REAL)1.12811678491632931402e2;
        q = q * z + (REAL)2.23548839060100448583e3;
        q = q * z + (REAL)4.84406305325125486048e3;
        p = p / q;
    }
    return NAME(signed_as)(x, SELECT(size < (REAL)0.625, p * z * size + size, far));
}
