/* How the ring moves its parcel: by MPI itself (carrier_mpi.c) or by par_mpi_* (carrier_parmap.c). */
#ifndef BENCHES_CARRIER_H
#define BENCHES_CARRIER_H

#include <stddef.h>

void carrier_start(int *rank, int *size);
void carrier_send(const void *data, size_t len, int to);
/* Into `data`, which has room for `len` bytes. */
void carrier_receive(void *data, size_t len, int from);
void carrier_barrier(void);
double carrier_seconds(void);
void carrier_finish(void);

#endif
