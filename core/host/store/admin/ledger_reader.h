/* Reads the ledger of decisions for a check, from a file or from a server, beside whoever serves
 * from it. */
#ifndef PALENCA_HOST_STORE_ADMIN_LEDGER_READER_H
#define PALENCA_HOST_STORE_ADMIN_LEDGER_READER_H

#include "common/host_error.h"
#include "store/ledger/row.h"

typedef struct ledger_reader ledger_reader;

/* False: no more of them. */
typedef bool ledger_row_visit(void *context, const ledger_row *row);

/* Those that return a bool return false on failure. */
typedef struct {
  int chunk; /* entries between `begin` and `end` */
  void (*close)(ledger_reader *reader);
  /* What is read from `begin` to `end` is of one time, and must not take long. */
  bool (*begin)(ledger_reader *reader);
  void (*end)(ledger_reader *reader);
  bool (*state)(ledger_reader *reader, ledger_state *state);
  /* Visits up to `chunk` entries from a number on, in their order. */
  bool (*read)(ledger_reader *reader, int64_t from, ledger_row_visit *each, void *context);
  /* The number of an entry with this hash, or with this one of the entry before; 0: there is none.
   */
  int64_t (*find_hash)(ledger_reader *reader, const unsigned char hash[LEDGER_DIGEST_SIZE]);
  int64_t (*find_previous)(ledger_reader *reader, const unsigned char hash[LEDGER_DIGEST_SIZE]);
  /* The number of data without an entry. False: there is none. */
  bool (*find_orphan)(ledger_reader *reader, int64_t *number);
  /* Sets why one of these has failed; false. */
  bool (*fail)(ledger_reader *reader, host_error *error);
} ledger_reader_class;

struct ledger_reader {
  const ledger_reader_class *class;
};

/* `*reader` is NULL if it is a file of an earlier version, which has no ledger. */
bool ledger_reader_open_file(const char *path, ledger_reader **reader, host_error *error);
bool ledger_reader_open_server(const char *url, ledger_reader **reader, host_error *error);

#endif
