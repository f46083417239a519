/* A rank that is linked statically: no MPI can be loaded into it. */
#include "promise.h"

static int twice(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(int *)out = 2 * *(const int *)in;
    return 0;
}

static void is_told_so_and_can_use_its_threads(void)
{
    const int in[3] = {1, 2, 3};
    int out[3] = {0, 0, 0};
    par_report report;
    par_options options = reporting_to(&report);

    CHECK_EQUAL(par_mpi_init(), PAR_EMPI);
    CHECK_TEXT(par_mpi_message(), "started this process, but this program is linked statically");
    CHECK_TEXT(par_mpi_message(), "link libparmap dynamically");
    CHECK_EQUAL(par_mpi_rank(), -1);
    options.executor = PAR_MPI;
    CHECK_EQUAL(par_map(twice, NULL, in, sizeof *in, out, sizeof *out, 3, &options), PAR_EMPI);
    CHECK_TEXT(report.message, "link libparmap dynamically");
    options.executor = PAR_THREADS;
    CHECK_EQUAL(par_map(twice, NULL, in, sizeof *in, out, sizeof *out, 3, &options), PAR_OK);
    CHECK_EQUAL(out[2], 6);
}

static void without_a_launcher_is_rank_0_of_1(void)
{
    CHECK_EQUAL(par_mpi_init(), PAR_OK);
    CHECK_EQUAL(par_mpi_size(), 1);
}

const promise promises[] = {
    PROMISE(is_told_so_and_can_use_its_threads),
    PROMISE(without_a_launcher_is_rank_0_of_1),
    {NULL, NULL},
};
