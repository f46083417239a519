/* The Mandelbrot set, its lines computed by all CPUs, written to mandelbrot.png or to the file you name.
 *
 *     cc -O2 mandelbrot.c -o mandelbrot -lparmap -lm && ./mandelbrot
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <parmap.h>

#include "png.h"

#define WIDTH 1200
#define HEIGHT 800
#define LIMIT 1000 /* steps after which a point counts as inside */

static const double pi = 3.14159265358979324;

/* How many steps z = z^2 + c takes to leave, with a fraction so that colours blend; -1: it stays. */
static double escape(double re, double im)
{
    double x = 0, y = 0, xx = 0, yy = 0;
    for (int step = 0; step < LIMIT; step++) {
        y = 2 * x * y + im;
        x = xx - yy + re;
        xx = x * x;
        yy = y * y;
        if (xx + yy > 256)
            return step + 5 - log2(log2(xx + yy));
    }
    return -1;
}

/* Adds a colour: gold far outside, then white and blue towards the set, which stays black. */
static void colour(double steps, double rgb[3])
{
    static const double phase[3] = {0.00, 0.08, 0.18};
    if (steps < 0)
        return;
    double turn = 0.7 + 0.25 * log2(1 + steps);
    for (int i = 0; i < 3; i++)
        rgb[i] += 0.5 - 0.5 * cos(2 * pi * (turn - phase[i]));
}

/* The lines begin .. end-1: par_for hands out ranges, so that the inner loops are plain C. */
static int draw_lines(size_t begin, size_t end, void *picture)
{
    const double scale = 3.45 / WIDTH, left = -2.4, top = -1.15;
    for (size_t row = begin; row < end; row++) {
        uint8_t *point = (uint8_t *)picture + 3 * WIDTH * row;
        for (size_t column = 0; column < WIDTH; column++, point += 3) {
            double sum[3] = {0, 0, 0};
            for (int part = 0; part < 4; part++) { /* four samples a point: smooth edges */
                double x = (double)column + (part & 1 ? 0.75 : 0.25);
                double y = (double)row + (part & 2 ? 0.75 : 0.25);
                colour(escape(left + scale * x, top + scale * y), sum);
            }
            for (int i = 0; i < 3; i++)
                point[i] = (uint8_t)(sum[i] / 4 * 255 + 0.5);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t picture[HEIGHT * WIDTH * 3];
    const char *path = argc > 1 ? argv[1] : "mandelbrot.png";

    par_report report = {0};
    report.size = sizeof report;
    par_options options = PAR_OPTIONS_INIT;
    options.report = &report;

    if (par_for(draw_lines, picture, HEIGHT, &options) != PAR_OK) {
        fprintf(stderr, "mandelbrot: %s\n", report.message);
        return 1;
    }
    if (png_write(path, picture, WIDTH, HEIGHT) != 0) {
        fprintf(stderr, "mandelbrot: %s: %s\n", path, strerror(errno));
        return 1;
    }
    printf("%s: %d x %d points, drawn by %zu workers in %.3f s\n", path, WIDTH, HEIGHT, report.workers,
           (double)report.wall_ns * 1e-9);
    return 0;
}
