/* Four at once, by AVX2. */
#ifdef __x86_64__
#define LANES 4
#define TARGET "avx2"
#define SIDE hash_side_avx2
#include "lib/hash_side_body.h"
#endif
