/* What the tests of executor PAR_MPI share. Every promise is kept by all ranks together. */
#ifndef RANKS_H
#define RANKS_H
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

static int rank, size;
static par_report report;

/* Every promise begins here: who am I? And fresh options for it. */
static par_options on_ranks(size_t workers)
{
    par_options options = reporting_to(&report);
    CHECK_EQUAL(par_mpi_init(), PAR_OK);
    rank = par_mpi_rank();
    size = par_mpi_size();
    options.executor = PAR_MPI;
    options.workers = workers;
    return options;
}

static void check(par_status is, par_status expected)
{
    if (is != expected)
        broken(__FILE__, __LINE__, "rank %d: status %d, not %d: %s", rank, is, expected, report.message);
}

/* The sum over all ranks, known to all. */
static inline long long all(long long mine)
{
    int64_t in = mine, out = 0;
    CHECK_EQUAL(par_mpi_reduce(&in, &out, 1, PAR_INT64, PAR_SUM, 0), PAR_OK);
    CHECK_EQUAL(par_mpi_broadcast(&out, sizeof out, 0), PAR_OK);
    return out;
}
#endif
