/* Four at once, by AVX-512. */
#ifdef __x86_64__
#define LANES 4
#define ROWS
#define TARGET "avx512f,avx512vl"
#define SIDE hash_side_four
#include "lib/hash_side_body.h"
#endif
