#include "map.h"

#include <stdio.h>
#include <stdlib.h>

void ranks_start(int *rank, int *size)
{
    if (par_mpi_init() != PAR_OK) {
        fprintf(stderr, "%s\n", par_mpi_message());
        exit(1);
    }
    *rank = par_mpi_rank();
    *size = par_mpi_size();
}

void ranks_map(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n, size_t chunk)
{
    par_report report = { .size = sizeof report };
    par_options options = PAR_OPTIONS_INIT;

    (void)chunk;
    options.executor = PAR_MPI;
    options.workers = 1;
    options.report = &report;
    if (par_map(fn, ctx, in, in_size, out, out_size, n, &options) != PAR_OK) {
        fprintf(stderr, "%s\n", report.message);
        exit(1);
    }
}

void ranks_finish(void)
{
    par_mpi_finalize();
}
