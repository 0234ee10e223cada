# What is installed beside the program: units, alert rules, man pages, completion, licenses; and
# Debian's packages, which `cpack -G DEB` makes of a build with PALENCA_SHARED_LIBRARIES below /usr.
set(service ${CMAKE_CURRENT_LIST_DIR})
set(PALENCA_UNIT_DIR lib/systemd/system CACHE STRING "Where the units go, under the prefix")

configure_file(${service}/palenca.service.in palenca.service @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/palenca.service ${service}/palenca.socket
  DESTINATION ${PALENCA_UNIT_DIR} COMPONENT program)
install(FILES ${service}/palenca.sysusers DESTINATION lib/sysusers.d RENAME palenca.conf
  COMPONENT program)
install(FILES ${service}/monitoring/alerts.yml ${service}/monitoring/dashboard.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/palenca/monitoring COMPONENT program)
install(FILES ${service}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)

# The program writes them.
set(made ${CMAKE_CURRENT_BINARY_DIR}/made)
install(CODE "
  execute_process(COMMAND ${service}/man_pages $<TARGET_FILE:palenca> ${made}/man1
    COMMAND_ERROR_IS_FATAL ANY)
  foreach(shell bash zsh fish)
    execute_process(COMMAND $<TARGET_FILE:palenca> completion \${shell}
      OUTPUT_FILE ${made}/palenca.\${shell} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()" COMPONENT program)
install(DIRECTORY ${made}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT program)
install(FILES ${made}/palenca.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME palenca COMPONENT program)
install(FILES ${made}/palenca.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
  RENAME _palenca COMPONENT program)
install(FILES ${made}/palenca.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
  COMPONENT program)

# ---- Debian's packages --------------------------------------------------------------------------

execute_process(COMMAND gzip -9nc ${service}/changelog
  OUTPUT_FILE ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_CONTACT "The palenca authors <palenca@example.org>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_COMPONENTS_ALL program library)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME palenca)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
# libcurl is loaded when it is first needed, and libpq by who uses PostgreSQL
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS
  "libcurl4t64 | libcurl4, systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "libpq5 (>= 14)")
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "receives Palenca webhooks and runs Lua scripts on them
Stores the webhooks of the Palenca API, which verifies what gig workers
earn, and runs the handlers of a Lua script on them: with retries, in the
order of each account. Has a sandbox of the API.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA
  "${service}/debian/postinst;${service}/debian/prerm;${service}/debian/postrm")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libpalenca-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "libcurl4-openssl-dev, libssl-dev, zlib1g-dev")
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "client of the Palenca API, for C
Requests with retries, under the API's rate limit, without blocking; and
the pure functions for pages, signatures and webhooks. A static library.")
install(FILES ${service}/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libpalenca-dev
  COMPONENT library)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libpalenca-dev COMPONENT library)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR}
  COMPONENT program)
include(CPack)
