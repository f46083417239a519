#include "carrier.h"

#include <mpi.h>

void carrier_start(int *rank, int *size)
{
    MPI_Init(NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
    MPI_Comm_size(MPI_COMM_WORLD, size);
}

void carrier_send(const void *data, size_t len, int to)
{
    MPI_Send(data, (int)len, MPI_BYTE, to, 1, MPI_COMM_WORLD);
}

void carrier_receive(void *data, size_t len, int from)
{
    MPI_Recv(data, (int)len, MPI_BYTE, from, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

void carrier_barrier(void)
{
    MPI_Barrier(MPI_COMM_WORLD);
}

double carrier_seconds(void)
{
    return MPI_Wtime();
}

void carrier_finish(void)
{
    MPI_Finalize();
}
