/* Pass the parcel: rank 0 sends "P0" to rank 1, each rank adds itself and passes on, and rank 0 shows what comes back.
 *
 *     cc -O2 ring.c -o ring -lparmap && mpiexec -n 4 ./ring
 *
 * One binary for any MPI: it loads the library of the mpiexec that starts it. Started by hand, it is rank 0 of 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parmap.h>

/* Ends all ranks with a sentence unless the call went well. */
static void check(par_status status)
{
    if (status != PAR_OK) {
        fprintf(stderr, "ring: %s\n", par_mpi_message());
        exit(1);
    }
}

int main(void)
{
    check(par_mpi_init());
    int rank = par_mpi_rank(), ranks = par_mpi_size();
    int next = (rank + 1) % ranks, previous = (rank + ranks - 1) % ranks;
    par_bytes parcel = {NULL, 0};

    if (rank == 0)
        check(par_mpi_send("P0", strlen("P0"), next, 0));
    check(par_mpi_receive(&parcel, previous, 0, NULL, NULL)); /* learns the length by itself */

    if (rank == 0) {
        printf("%.*s after a trip through %d ranks (%s)\n", (int)parcel.len, (char *)parcel.data, ranks, par_mpi_library());
    } else {
        char label[16];
        size_t len = (size_t)snprintf(label, sizeof label, "P%d", rank), before = parcel.len;
        check(par_bytes_resize(&parcel, before + len));
        memcpy((char *)parcel.data + before, label, len);
        check(par_mpi_send(parcel.data, parcel.len, next, 0));
    }
    par_bytes_free(&parcel, 1);
    return 0; /* MPI is finalized when all ranks have come here */
}
