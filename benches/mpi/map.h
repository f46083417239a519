/* One map over all ranks: by par_map (map_parmap.c), or by a master and workers as people write them (map_master.c). */
#ifndef BENCHES_MAP_H
#define BENCHES_MAP_H

#include <stddef.h>

#include "parmap.h"

void ranks_start(int *rank, int *size);
/* Every rank calls; `in` counts on rank 0, and rank 0 has the results. `chunk` items are handed out at once where that is
 * for the program to say. */
void ranks_map(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n, size_t chunk);
void ranks_finish(void);

#endif
