# Writes the C tables of embedded Lua modules and of the pages' files:
# cmake -DROOT= -DFILES= -DEXTRA= -DASSETS= -DOUT= -P embed.cmake
set(arrays "")
set(table "")
set(count 0)
set(assets "")
set(asset_count 0)

function(read_bytes file)
  file(READ "${file}" hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  set(size ${size} PARENT_SCOPE)
  set(bytes "${bytes}" PARENT_SCOPE)
endfunction()

foreach(file IN LISTS FILES EXTRA)
  if(file STREQUAL EXTRA)
    get_filename_component(relative "${file}" NAME)
  else()
    file(RELATIVE_PATH relative "${ROOT}" "${file}")
  endif()
  string(REGEX REPLACE "\\.lua$" "" module "${relative}")
  string(REGEX REPLACE "/init$" "" module "${module}")
  string(REPLACE "/" "." module "${module}")
  read_bytes("${file}")
  string(APPEND arrays "static const unsigned char source_${count}[] = {${bytes}0};\n")
  string(APPEND table "    {\"${module}\", \"@${relative}\", source_${count}, ${size}},\n")
  math(EXPR count "${count} + 1")
endforeach()
foreach(file IN LISTS ASSETS)
  get_filename_component(name "${file}" NAME)
  read_bytes("${file}")
  string(APPEND arrays "static const unsigned char asset_${asset_count}[] = {${bytes}0};\n")
  string(APPEND assets "    {\"${name}\", asset_${asset_count}, ${size}},\n")
  math(EXPR asset_count "${asset_count} + 1")
endforeach()
file(WRITE "${OUT}" "/* Generated from the files under lua/. */\n#include \"embedded.h\"\n\n"
  "${arrays}\nconst embedded_module embedded_modules[] = {\n${table}};\n"
  "const size_t embedded_module_count = ${count};\n\n"
  "const embedded_asset embedded_assets[] = {\n${assets}};\n"
  "const size_t embedded_asset_count = ${asset_count};\n")
