/* Eight at once, by AVX-512. */
#ifdef __x86_64__
#define LANES 8
#define TARGET "avx512f,avx512vl"
#define ROTATES
#define SIDE hash_side_wide
#include "lib/hash_side_body.h"
#endif
