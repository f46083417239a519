#include "carrier.h"

#include <parmap.h>

#include <stdio.h>
#include <stdlib.h>

static void must(par_status status)
{
    if (status != PAR_OK) {
        fprintf(stderr, "%s\n", par_mpi_message());
        exit(1);
    }
}

void carrier_start(int *rank, int *size)
{
    must(par_mpi_init());
    *rank = par_mpi_rank();
    *size = par_mpi_size();
}

void carrier_send(const void *data, size_t len, int to)
{
    must(par_mpi_send(data, len, to, 1));
}

void carrier_receive(void *data, size_t len, int from)
{
    must(par_mpi_receive_into(data, len, NULL, from, 1, NULL, NULL));
}

void carrier_barrier(void)
{
    must(par_mpi_barrier());
}

double carrier_seconds(void)
{
    return par_mpi_wtime();
}

void carrier_finish(void)
{
    must(par_mpi_finalize());
}
