/* A program that uses MPI itself, beside the library: compiled by an MPI's own compiler. */
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

#include <mpi.h>
#include <pthread.h>

static int rank, size;

/* Its own messages and the library's pass one another, on the same tag. */
static void exchange(void)
{
    int mine = 0, theirs = -1, next = (rank + 1) % size, previous = (rank + size - 1) % size;
    par_bytes message = {NULL, 0};
    MPI_Request request;
    mine = 100 + rank;
    CHECK_EQUAL(MPI_Isend(&mine, 1, MPI_INT, next, 1, MPI_COMM_WORLD, &request), MPI_SUCCESS);
    CHECK_EQUAL(par_mpi_send("library", 7, next, 1), PAR_OK);
    CHECK_EQUAL(par_mpi_receive(&message, previous, 1, NULL, NULL), PAR_OK);
    CHECK(message.len == 7 && memcmp(message.data, "library", 7) == 0);
    CHECK_EQUAL(MPI_Recv(&theirs, 1, MPI_INT, previous, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE), MPI_SUCCESS);
    CHECK_EQUAL(theirs, 100 + previous);
    CHECK_EQUAL(MPI_Wait(&request, MPI_STATUS_IGNORE), MPI_SUCCESS);
    par_bytes_free(&message, 1);
    CHECK_EQUAL(MPI_Barrier(MPI_COMM_WORLD), MPI_SUCCESS);
    CHECK_EQUAL(par_mpi_barrier(), PAR_OK);
}

static void check_ranks(void)
{
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    CHECK_EQUAL(par_mpi_rank(), rank);
    CHECK_EQUAL(par_mpi_size(), size);
}

static void the_host_initialises_and_finalizes(void)
{
    int provided = 0, finalized = 1;
    CHECK_EQUAL(MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided), MPI_SUCCESS);
    check_ranks();
    exchange();
    CHECK_EQUAL(par_mpi_finalize(), PAR_OK);
    MPI_Finalized(&finalized);
    CHECK_EQUAL(finalized, 0);
    CHECK_EQUAL(MPI_Barrier(MPI_COMM_WORLD), MPI_SUCCESS);
    CHECK_EQUAL(MPI_Finalize(), MPI_SUCCESS);
    CHECK_EQUAL(par_mpi_barrier(), PAR_EMPI);
}

static void the_host_finalizes_without_a_word(void)
{
    CHECK_EQUAL(MPI_Init(NULL, NULL), MPI_SUCCESS);
    check_ranks();
    exchange();
    CHECK_EQUAL(MPI_Finalize(), MPI_SUCCESS);
    CHECK_EQUAL(par_mpi_barrier(), PAR_EMPI);
    CHECK_TEXT(par_mpi_message(), "finalized");
}

static void the_library_comes_first(void)
{
    int initialized = 0, finalized = 1;
    CHECK_EQUAL(par_mpi_init(), PAR_OK);
    MPI_Initialized(&initialized);
    CHECK_EQUAL(initialized, 1);
    check_ranks();
    exchange();
    MPI_Finalized(&finalized);
    CHECK_EQUAL(finalized, 0);
}

static void *call(void *ctx)
{
    (void)ctx;
    CHECK_EQUAL(par_mpi_barrier(), PAR_EMPI);
    CHECK_TEXT(par_mpi_message(), "main thread alone");
    return NULL;
}

static void threads_that_the_hosts_level_forbids_are_refused(void)
{
    pthread_t thread;
    int level = MPI_THREAD_MULTIPLE;
    CHECK_EQUAL(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level), MPI_SUCCESS);
    for (int turn = 0; turn < 2; turn++) { /* be it the first call of all, or a later one */
        if (level < MPI_THREAD_SERIALIZED) {
            CHECK_EQUAL(pthread_create(&thread, NULL, call, NULL), 0);
            CHECK_EQUAL(pthread_join(thread, NULL), 0);
        }
        check_ranks();
        exchange();
    }
    CHECK_EQUAL(MPI_Finalize(), MPI_SUCCESS);
}

const promise promises[] = {
    PROMISE(the_host_initialises_and_finalizes),
    PROMISE(the_host_finalizes_without_a_word),
    PROMISE(the_library_comes_first),
    PROMISE(threads_that_the_hosts_level_forbids_are_refused),
    {NULL, NULL},
};
