"""Logarithm, exponential and normal quantile of arrays: the same bits on every machine, and however arrays are split.

NOTE(portable): NumPy's own `log` and `exp` come from the C library, or from vector code that depends on the processor;
their last bits differ between machines. A run of the simulator feeds on itself, so one bit becomes another run, and the
hash of its state is worth nothing elsewhere. Here are only operations that IEEE 754 rounds exactly (`+ - * /`, square
root, powers of two), one array at a time, so that nothing is fused. The coefficients are published ones: FreeBSD's msun
(`e_log.c`, `e_exp.c`) and algorithm AS 241 (Wichura 1988, `PPND16`). Errors: 1 ulp, and 4e-15 for the quantile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
LOG_ODD = (0.6666666666666735130, 0.2857142874366239149, 0.1818357216161805012, 0.1479819860511658591)
LOG_EVEN = (0.3999999999940941908, 0.2222219843214978396, 0.1531383769920937332)
EXP = (
    1.66666666666666019037e-01,
    -2.77777777770155933842e-03,
    6.61375632143793436117e-05,
    -1.65339022054652515390e-06,
    4.13813679705723846039e-08,
)

# fmt: off
CENTRAL = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)
MIDDLE = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)
FAR = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)
# fmt: on


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    """Horner's scheme; the coefficient of the lowest power comes first."""
    found = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        found *= x
        found += c
    return found


def log(x: Any) -> Floats:
    """The natural logarithm of finite numbers above zero."""
    x = np.asarray(x, dtype=np.float64)
    part, power = np.frexp(x)
    small = part < 0.7071067811865476
    part = np.where(small, part * 2.0, part)
    k = (power - small).astype(np.float64)
    f = part - 1.0
    s = f / (part + 1.0)
    z = s * s
    w = z * z
    half = 0.5 * f * f
    rest = w * _polynomial(LOG_EVEN, w) + z * _polynomial(LOG_ODD, w)
    found: Floats = k * LN2_HIGH - ((half - (s * (half + rest) + k * LN2_LOW)) - f)
    return found


def exp(x: Any) -> Floats:
    """The exponential of numbers in -700..700, where the result is neither infinite nor denormal."""
    x = np.asarray(x, dtype=np.float64)
    k = np.rint(x * 1.4426950408889634)
    high = x - k * LN2_HIGH
    low = k * LN2_LOW
    r = high - low
    t = r * r
    c = r - t * _polynomial(EXP, t)
    y = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    found: Floats = np.ldexp(y, k.astype(np.int32))
    return found


def normal_quantile(p: Any) -> Floats:
    """The number below which a standard normal variable lies with probability `p`, for `p` strictly between 0 and 1."""
    p = np.asarray(p, dtype=np.float64)
    q = p - 0.5
    r = 0.180625 - q * q
    found: Floats = np.asarray(q * (_polynomial(CENTRAL[0], r) / _polynomial(CENTRAL[1], r)))
    outside = np.abs(q) > 0.425
    if outside.any():
        tail, sign = p[outside], np.where(q[outside] < 0, -1.0, 1.0)
        r = np.sqrt(-log(np.minimum(tail, 1.0 - tail)))
        near, far = r - 1.6, r - 5.0
        middle = _polynomial(MIDDLE[0], near) / _polynomial(MIDDLE[1], near)
        end = _polynomial(FAR[0], far) / _polynomial(FAR[1], far)
        found[outside] = sign * np.where(r <= 5.0, middle, end)
    return found
