/* A master and workers as people write them: rank 0 hands out chunks, a worker's results come with its next request. With
 * MASTER_WORKS the master computes, too, and looks for requests between its own items; otherwise it only serves. */
#include "map.h"

#include <mpi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { TASK = 1, END, RESULT };

#ifndef MASTER_WORKS
#define MASTER_WORKS 0
#endif

/* The master looks for requests after so many items of its own. */
#define LOOK_EVERY 100

struct job {
    par_map_fn fn;
    void *ctx;
    const char *in;
    char *out;
    size_t in_size, out_size, n, chunk, next;
};

static int rank, size;

void ranks_start(int *own_rank, int *own_size)
{
    MPI_Init(NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    *own_rank = rank;
    *own_size = size;
}

static size_t take(struct job *job, size_t most, size_t *begin)
{
    const size_t left = job->n - job->next, count = left < most ? left : most;

    *begin = job->next;
    job->next += count;
    return count;
}

static void compute(const struct job *job, const char *in, char *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        job->fn(in + i * job->in_size, out + i * job->out_size, job->ctx);
}

/* Takes a worker's results, if it has any, and answers with its next chunk. A message is the index of its first item, then
 * the items, or their results. Returns 1 where nothing was left for it. */
static int serve(struct job *job, char *message, size_t room)
{
    MPI_Status status;
    uint64_t first;
    size_t begin, count;
    int len;

    MPI_Recv(message, (int)room, MPI_BYTE, MPI_ANY_SOURCE, RESULT, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_BYTE, &len);
    memcpy(&first, message, sizeof first);
    memcpy(job->out + first * job->out_size, message + sizeof first, (size_t)len - sizeof first);

    count = take(job, job->chunk, &begin);
    first = begin;
    memcpy(message, &first, sizeof first);
    memcpy(message + sizeof first, job->in + begin * job->in_size, count * job->in_size);
    MPI_Send(message, (int)(sizeof first + count * job->in_size), MPI_BYTE, status.MPI_SOURCE, count > 0 ? TASK : END,
             MPI_COMM_WORLD);
    return count == 0;
}

static void be_master(struct job *job, char *message, size_t room)
{
    int working = size - 1;

    while (working > 0 || job->next < job->n) {
        int waiting = 1;

        if (MASTER_WORKS && job->next < job->n)
            MPI_Iprobe(MPI_ANY_SOURCE, RESULT, MPI_COMM_WORLD, &waiting, MPI_STATUS_IGNORE);
        if (waiting) {
            working -= serve(job, message, room);
        } else {
            size_t begin, count = take(job, job->chunk < LOOK_EVERY ? job->chunk : LOOK_EVERY, &begin);
            compute(job, job->in + begin * job->in_size, job->out + begin * job->out_size, count);
        }
    }
}

static void be_worker(struct job *job, char *message, char *results, size_t room)
{
    uint64_t first = 0;
    size_t count = 0;
    MPI_Status status;
    int len;

    for (;;) {
        memcpy(results, &first, sizeof first);
        MPI_Send(results, (int)(sizeof first + count * job->out_size), MPI_BYTE, 0, RESULT, MPI_COMM_WORLD);
        MPI_Recv(message, (int)room, MPI_BYTE, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        if (status.MPI_TAG == END)
            return;
        MPI_Get_count(&status, MPI_BYTE, &len);
        memcpy(&first, message, sizeof first);
        count = ((size_t)len - sizeof first) / job->in_size;
        compute(job, message + sizeof first, results + sizeof first, count);
    }
}

void ranks_map(par_map_fn fn, void *ctx, const void *in, size_t in_size, void *out, size_t out_size, size_t n, size_t chunk)
{
    struct job job = { fn, ctx, in, out, in_size, out_size, n, chunk, 0 };
    const size_t room = sizeof(uint64_t) + chunk * (in_size > out_size ? in_size : out_size);
    char *message = malloc(room), *results = malloc(room);

    if (message == NULL || results == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
    if (rank == 0)
        be_master(&job, message, room);
    else
        be_worker(&job, message, results, room);
    free(results);
    free(message);
}

void ranks_finish(void)
{
    MPI_Finalize();
}
