/* Tests of addresses and blocks: what is read from settings and from X-Forwarded-For. */
#include "common/net_address.h"
#include "support/unit_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* The copy ends where the text does, so that sanitizers see a step beyond it. */
static bool parse(const char *text, net_address *out) {
  size_t size = strlen(text);
  char *copy = malloc(size + (size == 0));
  memcpy(copy, text, size);
  bool ok = net_address_parse(copy, size, out);
  free(copy);
  return ok;
}

static net_address address(const char *text) {
  net_address out = {.kind = NET_UNIX};
  if (strcmp(text, "unix") != 0) {
    assert_true(parse(text, &out));
  }
  return out;
}

static net_block block(const char *text) {
  net_block out;
  assert_true(net_block_parse(text, &out));
  return out;
}

UNIT_TEST(reads_addresses) {
  static const struct {
    const char *text, *same;
  } cases[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"192.0.2.1:4711", "192.0.2.1"},
      {"192.0.2.1:0", "192.0.2.1"},
      {"192.0.2.1:65535", "192.0.2.1"},
      {"2001:db8::1", "2001:db8::1"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"[2001:db8::1]", "2001:db8::1"},
      {"[2001:db8::1]:443", "2001:db8::1"},
      {"::1", "::1"},
      {"::", "::"},
      {"::ffff:192.0.2.1", "192.0.2.1"},
      {"::ffff:c000:201", "192.0.2.1"},
      {"[::ffff:192.0.2.1]:80", "192.0.2.1"},
  };
  for (size_t i = 0; i < LENGTH(cases); i++) {
    char text[NET_ADDRESS_TEXT];
    net_address got = address(cases[i].text);
    net_address_text(&got, text);
    assert_string_equal(text, cases[i].same);
  }
}

UNIT_TEST(rejects_what_is_no_address) {
  static const char *const cases[] = {
      "",
      " ",
      "unknown",
      "_hidden",
      "localhost",
      "192.0.2",
      "192.0.2.256",
      "192.0.2.1.",
      "192.0.2.01",
      "0x7f.0.0.1",
      "192.0.2.1:",
      "192.0.2.1:x",
      "192.0.2.1:-1",
      "192.0.2.1:65536",
      "192.0.2.1:1:1",
      "192.0.2.1 ",
      " 192.0.2.1",
      "192.0.2.1/32",
      "1234",
      "[",
      "[]",
      "]",
      "[192.0.2.1]",
      "[192.0.2.1]:80",
      "[::1",
      "[::1]x",
      "[::1]:",
      "[::1]:x",
      "[::1]:99999",
      "[::1]:123456",
      "::1]",
      ":",
      ":::",
      "::1::",
      "1:2:3:4:5:6:7",
      "g::1",
      "fe80::1%eth0",
      "2001:db8::1:80:90:100:110:120:130",
      "\"192.0.2.1\"",
  };
  for (size_t i = 0; i < LENGTH(cases); i++) {
    net_address out;
    if (parse(cases[i], &out)) {
      fail_msg("'%s' was taken for an address", cases[i]);
    }
  }
  net_address out;
  assert_false(net_address_parse("192.0.2.1\0", 10, &out));
}

UNIT_TEST(reads_addresses_of_sockets) {
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  struct sockaddr_storage none = {.ss_family = AF_UNSPEC};
  net_address wanted = address("192.0.2.1");
  inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
  net_address got = net_address_of((struct sockaddr *)&v4);
  assert_true(net_address_equal(&got, &wanted));
  inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
  got = net_address_of((struct sockaddr *)&v6);
  assert_true(net_address_equal(&got, &wanted));
  inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
  got = net_address_of((struct sockaddr *)&v6);
  wanted = address("2001:db8::1");
  assert_true(net_address_equal(&got, &wanted));
  got = net_address_of((struct sockaddr *)&path);
  assert_int_equal(got.kind, NET_UNIX);
  got = net_address_of((struct sockaddr *)&none);
  assert_int_equal(got.kind, NET_UNKNOWN);
}

UNIT_TEST(knows_what_a_block_holds) {
  static const struct {
    const char *block, *address;
    bool holds;
  } cases[] = {
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.2", false},
      {"192.0.2.1/32", "192.0.2.0", false},
      {"192.0.2.0/31", "192.0.2.1", true},
      {"192.0.2.0/31", "192.0.2.2", false},
      {"192.0.2.77/24", "192.0.2.255", true},
      {"192.0.2.0/24", "192.0.3.0", false},
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"128.0.0.0/1", "127.255.255.255", false},
      {"128.0.0.0/1", "255.0.0.1", true},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "::1", true},
      {"::/0", "192.0.2.1", false},
      {"2001:db8::/32", "2001:db8:ffff::1", true},
      {"2001:db8::/32", "2001:db9::", false},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"2001:db8::1", "2001:db8::1", true},
      {"2001:db8::1/128", "2001:db8::2", false},
      {"::ffff:192.0.2.0/120", "192.0.2.9", true},
      {"::ffff:192.0.2.0/120", "192.0.3.9", false},
      {"::ffff:192.0.2.1", "192.0.2.1", true},
      {"unix", "unix", true},
      {"unix", "127.0.0.1", false},
      {"0.0.0.0/0", "unix", false},
  };
  for (size_t i = 0; i < LENGTH(cases); i++) {
    net_block b = block(cases[i].block);
    net_address a = address(cases[i].address);
    if (net_block_holds(&b, &a) != cases[i].holds) {
      fail_msg("%s in %s", cases[i].address, cases[i].block);
    }
  }
  net_block all = block("0.0.0.0/0");
  net_address unknown = {.kind = NET_UNKNOWN};
  assert_false(net_block_holds(&all, &unknown));
  assert_false(net_blocks_hold(NULL, 0, &unknown));
}

UNIT_TEST(rejects_what_is_no_block) {
  static const char *const cases[] = {
      "",
      "/",
      "/8",
      "10.0.0.0/",
      "10.0.0.0/33",
      "10.0.0.0/-1",
      "10.0.0.0/+8",
      "10.0.0.0/ 8",
      "10.0.0.0/8 ",
      "10.0.0.0/8/8",
      "10.0.0.0/255.0.0.0",
      "10.0.0.0/4294967304",
      "10.0.0/8",
      "10.0.0.0:80",
      "2001:db8::/129",
      "[2001:db8::1]",
      "::ffff:0.0.0.0/95",
      "Unix",
      "unix/1",
      "unix:",
      "*",
      "all",
      "example.org",
  };
  for (size_t i = 0; i < LENGTH(cases); i++) {
    net_block out;
    if (net_block_parse(cases[i], &out)) {
      fail_msg("'%s' was taken for a block", cases[i]);
    }
  }
}

typedef struct {
  const char *peer;
  const char *values[4];
  const char *client; /* NULL: unknown */
} forwarding;

static void check_forwarding(const forwarding *c, const net_block *trusted, size_t count) {
  size_t value_count = 0;
  while (value_count < LENGTH(c->values) && c->values[value_count] != NULL) {
    value_count++;
  }
  net_address peer = address(c->peer);
  net_address got = net_address_forwarded(&peer, trusted, count, c->values, value_count);
  if (c->client == NULL) {
    assert_int_equal(got.kind, NET_UNKNOWN);
    return;
  }
  net_address wanted = address(c->client);
  char text[NET_ADDRESS_TEXT];
  net_address_text(&got, text);
  if (!net_address_equal(&got, &wanted)) {
    fail_msg("%s of %s is %s", c->values[0], c->peer, text);
  }
}

UNIT_TEST(believes_trusted_proxies_only) {
  static const forwarding cases[] = {
      {"127.0.0.1", {NULL}, "127.0.0.1"},
      {"127.0.0.1", {""}, "127.0.0.1"},
      {"127.0.0.1", {" , ,"}, "127.0.0.1"},
      {"127.0.0.1", {"198.51.100.7"}, "198.51.100.7"},
      {"127.0.0.1", {" \t198.51.100.7 \t"}, "198.51.100.7"},
      {"127.0.0.1", {"198.51.100.7:5000"}, "198.51.100.7"},
      {"127.0.0.1", {"[2001:db8::7]:5000"}, "2001:db8::7"},
      /* what a client says of itself is not believed */
      {"127.0.0.1", {"1.2.3.4, 198.51.100.7"}, "198.51.100.7"},
      {"127.0.0.1", {"junk, 198.51.100.7"}, "198.51.100.7"},
      {"127.0.0.1", {"1.2.3.4", "198.51.100.7"}, "198.51.100.7"},
      {"198.51.100.7", {"127.0.0.1"}, "198.51.100.7"},
      {"198.51.100.7", {"1.2.3.4, 10.1.1.1"}, "198.51.100.7"},
      /* a chain of proxies */
      {"127.0.0.1", {"1.2.3.4, 198.51.100.7, 10.0.0.9"}, "198.51.100.7"},
      {"127.0.0.1", {"1.2.3.4,198.51.100.7", "10.0.0.9,10.0.0.8"}, "198.51.100.7"},
      {"127.0.0.1", {"10.0.0.9, 10.0.0.8"}, "10.0.0.9"},
      {"unix", {"198.51.100.7"}, "198.51.100.7"},
      /* a trusted proxy has passed on what is no address */
      {"127.0.0.1", {"unknown"}, NULL},
      {"127.0.0.1", {"198.51.100.7, unix"}, NULL},
      {"127.0.0.1", {"198.51.100.7 10.0.0.9"}, NULL},
      {"127.0.0.1", {"198.51.100.7, x, 10.0.0.9"}, NULL},
  };
  net_block trusted[] = {block("127.0.0.1"), block("10.0.0.0/8"), block("unix")};
  for (size_t i = 0; i < LENGTH(cases); i++) {
    check_forwarding(&cases[i], trusted, LENGTH(trusted));
  }
}

UNIT_TEST(believes_nobody_without_a_setting) {
  static const forwarding cases[] = {{"127.0.0.1", {"198.51.100.7"}, "127.0.0.1"},
                                     {"unix", {"198.51.100.7"}, "unix"}};
  for (size_t i = 0; i < LENGTH(cases); i++) {
    check_forwarding(&cases[i], NULL, 0);
  }
}
