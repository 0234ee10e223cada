/* Fuzzes what reads addresses: settings, and X-Forwarded-For, which strangers write. */
#include "common/net_address.h"
#include "fuzz.h"

#define VALUES_MAX 4

static void check_address(const uint8_t *data, size_t size) {
  net_address address, again;
  char text[NET_ADDRESS_TEXT];
  if (!net_address_parse((const char *)data, size, &address)) {
    return;
  }
  net_address_text(&address, text);
  MUST(net_address_parse(text, strlen(text), &again) && net_address_equal(&address, &again));
}

static void check_block(const char *text) {
  net_block block;
  if (!net_block_parse(text, &block)) {
    return;
  }
  MUST(net_block_holds(&block, &block.first));
  MUST(block.bits <= (block.first.kind == NET_IPV4 ? 32 : 128));
  net_address other = block.first;
  if (block.bits > 0) {
    other.bytes[0] ^= 0x80;
    MUST(!net_block_holds(&block, &other));
  }
}

/* The lines are the values of the headers. */
static void check_forwarded(char *text) {
  const char *values[VALUES_MAX];
  size_t count = 0;
  net_block trusted[2];
  net_address peer = {.kind = NET_IPV4, .bytes = {127, 0, 0, 1}};
  MUST(net_block_parse("127.0.0.0/8", &trusted[0]) && net_block_parse("::/1", &trusted[1]));
  for (char *line = strtok(text, "\n"); line != NULL && count < VALUES_MAX;
       line = strtok(NULL, "\n")) {
    values[count++] = line;
  }
  net_address client = net_address_forwarded(&peer, trusted, 2, values, count);
  MUST(client.kind != NET_UNIX);
  net_address found = net_address_forwarded(&peer, trusted, 0, values, count);
  MUST(net_address_equal(&found, &peer));
  /* nothing that is put before what a proxy has seen changes who it was */
  if (client.kind != NET_UNKNOWN && !net_blocks_hold(trusted, 2, &client)) {
    char seen[NET_ADDRESS_TEXT];
    net_address_text(&client, seen);
    const char *more[] = {count > 0 ? values[0] : "", "junk, 127.0.0.9", seen, "127.0.0.2"};
    found = net_address_forwarded(&peer, trusted, 2, more, 4);
    MUST(net_address_equal(&found, &client));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = fuzz_text(data, size);
  check_address(data, size);
  check_block(text);
  check_forwarded(text);
  free(text);
  return 0;
}
