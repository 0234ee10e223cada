/* Writes metrics in Prometheus's text format. */
#include "exposition.h"

#include "clock.h"
#include "common/health.h"
#include "common/metrics.h"
#include "process_stats.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  palenca_buffer *out;
  bool ok;
} writer;

__attribute__((format(printf, 2, 3))) static void print(writer *w, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  size = size < (int)sizeof line ? size : (int)sizeof line - 1;
  w->ok = w->ok && size >= 0 && palenca_buffer_append(w->out, line, (size_t)size);
}

static void begin(writer *w, const char *name, const char *help, const char *type) {
  print(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* With the decimal point of no locale, and no zeros at its end. */
static void value(writer *w, int64_t number, int64_t unit) {
  int digits = 0;
  for (int64_t left = unit; left > 1; left /= 10) {
    digits++;
  }
  int64_t rest = number % unit;
  while (digits > 0 && rest % 10 == 0) {
    rest /= 10;
    digits--;
  }
  print(w, "%" PRId64, number / unit);
  if (digits > 0) {
    print(w, ".%0*" PRId64, digits, rest);
  }
}

/* ---- the metrics that are kept ----------------------------------------------------------- */

static int64_t age_of(int64_t time) {
  int64_t now = clock_unix_ms();
  return time > 0 && now > time ? now - time : 0;
}

/* False: it is not known. */
static bool read_plain(metric_id id, size_t label, int64_t *out) {
  *out = metric_read(id, label);
  if (id == METRIC_OLDEST) {
    *out = age_of(*out);
  } else if (id == METRIC_API_REMAINING) {
    return (*out)-- > 0;
  }
  return true;
}

static void write_plain(writer *w, metric_id id, const metric_definition *of) {
  int64_t read;
  for (size_t i = 0; of->label == NULL ? i < 1 : of->values[i] != NULL; i++) {
    if (!read_plain(id, i, &read)) {
      continue;
    }
    print(w, "%s", of->name);
    if (of->label != NULL) {
      print(w, "{%s=\"%s\"}", of->label, of->values[i]);
    }
    print(w, " ");
    value(w, read, of->unit);
    print(w, "\n");
  }
}

static void write_histogram(writer *w, metric_id id, const metric_definition *of, size_t label) {
  char labels[64] = "", before[72] = "";
  metric_histogram read = metric_read_histogram(id, label);
  if (of->label != NULL) {
    (void)snprintf(before, sizeof before, "%s=\"%s\",", of->label, of->values[label]);
    (void)snprintf(labels, sizeof labels, "{%s=\"%s\"}", of->label, of->values[label]);
  }
  int64_t below = 0;
  for (size_t i = 0; of->bounds[i] > 0; i++) {
    below += read.buckets[i];
    print(w, "%s_bucket{%sle=\"", of->name, before);
    value(w, of->bounds[i], of->unit);
    print(w, "\"} %" PRId64 "\n", below);
  }
  print(w, "%s_bucket{%sle=\"+Inf\"} %" PRId64 "\n", of->name, before, read.count);
  print(w, "%s_sum%s ", of->name, labels);
  value(w, read.sum, of->unit);
  print(w, "\n%s_count%s %" PRId64 "\n", of->name, labels, read.count);
}

/* Of a histogram for each of many labels, those with something in it. */
static void write_histograms(writer *w, metric_id id, const metric_definition *of) {
  if (of->label == NULL) {
    write_histogram(w, id, of, 0);
    return;
  }
  for (size_t i = 0; of->values[i] != NULL; i++) {
    if (metric_read_histogram(id, i).count > 0) {
      write_histogram(w, id, of, i);
    }
  }
}

/* ---- what is asked for now ----------------------------------------------------------------- */

static void write_health(writer *w) {
  begin(w, "palenca_problem", "1 for each reason why /readyz is not ready.", "gauge");
  for (int i = 0; i < HEALTH_PROBLEMS; i++) {
    print(w, "palenca_problem{reason=\"%s\"} %d\n", health_problem_name((health_problem)i),
          health_has((health_problem)i));
  }
  begin(w, "palenca_loop_silence_seconds", "Time since the loop has last turned.", "gauge");
  print(w, "palenca_loop_silence_seconds ");
  value(w, health_silence_ms(), 1000);
  print(w, "\n");
}

static void write_process(writer *w) {
  process_stats stats;
  if (!process_stats_read(&stats)) {
    return;
  }
  begin(w, "process_start_time_seconds", "When the process has started, in Unix time.", "gauge");
  print(w, "process_start_time_seconds ");
  value(w, stats.start_ms, 1000);
  print(w, "\n");
  begin(w, "process_cpu_seconds_total", "Processor time, of user and system.", "counter");
  print(w, "process_cpu_seconds_total ");
  value(w, stats.cpu_ms, 1000);
  print(w, "\n");
  begin(w, "process_resident_memory_bytes", "Resident memory.", "gauge");
  print(w, "process_resident_memory_bytes %" PRId64 "\n", stats.resident_bytes);
  begin(w, "process_open_fds", "Open file descriptors.", "gauge");
  print(w, "process_open_fds %" PRId64 "\n", stats.open_fds);
  begin(w, "process_max_fds", "Maximum of open file descriptors.", "gauge");
  print(w, "process_max_fds %" PRId64 "\n", stats.max_fds);
}

bool exposition_write(palenca_buffer *out, const char *build) {
  static const char *const types[] = {"counter", "gauge", "histogram"};
  writer w = {.out = out, .ok = true};
  for (int i = 0; i < METRICS; i++) {
    const metric_definition *of = metric_definition_of((metric_id)i);
    begin(&w, of->name, of->help, types[of->type]);
    (of->type == METRIC_HISTOGRAM ? write_histograms : write_plain)(&w, (metric_id)i, of);
  }
  write_health(&w);
  begin(&w, "palenca_build_info", "The versions of the program and its libraries.", "gauge");
  print(&w, "palenca_build_info{%s} 1\n", build);
  write_process(&w);
  return w.ok;
}
