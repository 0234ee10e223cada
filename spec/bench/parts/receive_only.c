/* The receiver of `palenca serve` in front of a store that keeps nothing: what storing costs.
 * Prints its address; ends by a signal. */
#include "webhook/receiver.h"

#include <stdio.h>
#include <unistd.h>

void event_store_put(event_store *store, const event_record *record, event_put_done done,
                     void *context) {
  (void)store;
  (void)record;
  done(context, &(event_receipt){.id = 1});
}

void event_store_end_turn(event_store *store) {
  (void)store;
}

void event_store_end_turns_itself(event_store *store, bool does) {
  (void)store;
  (void)does;
}

int main(void) {
  host_error error;
  receiver_options options = {.listen = "127.0.0.1:0",
                              .path = "/webhooks/palenca",
                              .max_body = 65536,
                              .loop = host_loop_new(&error)};
  receiver *receiving = options.loop != NULL ? receiver_new(&options, &error) : NULL;
  if (receiving == NULL) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  receiver_serve(receiving, NULL);
  if (!host_loop_start(options.loop, &error)) {
    return 1;
  }
  printf("%s\n", receiver_address(receiving));
  fflush(stdout);
  pause();
  return 0;
}
