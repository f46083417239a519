/* A parcel goes round a ring of ranks: the time of a hop, for parcels of each of the lengths given. */
#include "carrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seconds that each length is measured for, and in how many samples. */
#define BUDGET 0.15
#define SAMPLES 7

static int rank, size;

static void go_round(unsigned char *parcel, size_t len, int rounds)
{
    const int left = (rank + size - 1) % size, right = (rank + 1) % size;

    for (int round = 0; round < rounds; round++) {
        if (rank == 0) {
            parcel[0] = (unsigned char)round;
            carrier_send(parcel, len, right);
        }
        carrier_receive(parcel, len, left);
        if (rank != 0)
            carrier_send(parcel, len, right);
        else if (parcel[0] != (unsigned char)round || parcel[len - 1] != 77)
            exit(1);
    }
}

static double seconds_of(unsigned char *parcel, size_t len, int rounds)
{
    double begin;

    carrier_barrier();
    begin = carrier_seconds();
    go_round(parcel, len, rounds);
    return carrier_seconds() - begin;
}

int main(int argc, char **argv)
{
    carrier_start(&rank, &size);
    for (int i = 1; i < argc; i++) {
        const size_t len = strtoul(argv[i], NULL, 10);
        unsigned char *parcel = malloc(len);
        int rounds = 8;

        if (parcel == NULL)
            return 1;
        memset(parcel, 77, len);
        /* Rank 0 alone decides how many rounds fill a sample; the others learn it by message. */
        if (rank == 0) {
            seconds_of(parcel, len, rounds);
            rounds = (int)(BUDGET / SAMPLES / (seconds_of(parcel, len, rounds) / rounds)) + 1;
            for (int to = 1; to < size; to++)
                carrier_send(&rounds, sizeof rounds, to);
        } else {
            seconds_of(parcel, len, rounds);
            seconds_of(parcel, len, rounds);
            carrier_receive(&rounds, sizeof rounds, 0);
        }
        for (int sample = 0; sample < SAMPLES; sample++) {
            const double seconds = seconds_of(parcel, len, rounds);
            if (rank == 0)
                printf("hop_%zu_us %.4f\n", len, seconds / rounds / size * 1e6);
        }
        free(parcel);
    }
    carrier_finish();
    return 0;
}
