/* Two at once by AVX-512, in the time of one. */
#ifdef __x86_64__
#define LANES 2
#define ROWS
#define TARGET "avx512f,avx512vl"
#define SIDE hash_side_pair
#include "lib/hash_side_body.h"
#endif
