#!/bin/sh
# Brings a machine to where Bootwright's story and its tests can run, and then runs a command there as root:
#
#     sh scripts/setup.sh [--no-hypervisor] [-- COMMAND [ARGUMENT...]]
#
# It installs the node modules (a current Node and Deno are among them), builds the web page, installs Debian's packages
# for QEMU and libvirt, and starts libvirt's daemons. What is there already is left alone, so a second run takes well under a second.
# --no-hypervisor installs the node modules and builds the page, no more; --memory, --unit or --no-hypervisor among the command's
# arguments says the same, and then the command needs no root either. With --qemu among them libvirt is left out, and root is needed only
# where packages are missing.
#
# Exit codes: 64 wrong usage, 69 something is missing that this script cannot install, otherwise the command's own.
set -eu

hypervisor=yes
while [ $# -gt 0 ]; do
  case $1 in
    --no-hypervisor) hypervisor=no; shift ;;
    --) shift; break ;;
    *) echo "usage: sh scripts/setup.sh [--no-hypervisor] [-- COMMAND [ARGUMENT...]]" >&2; exit 64 ;;
  esac
done
for argument do
  case $argument in
    --memory | --no-hypervisor | --unit) hypervisor=no ;;
    --qemu) [ "$hypervisor" = no ] || hypervisor=qemu ;;
  esac
done
cd "$(dirname "$0")/.."
# A login without /usr/sbin on its PATH is usual, and the daemons are there.
PATH=$PWD/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { echo "setup: $*" >&2; }
unavailable() {
  say "$1"
  shift
  for line do echo "  $line" >&2; done
  exit 69
}
without_hypervisor="Without libvirt: npm run quickstart -- --qemu. Without a hypervisor: npm run quickstart -- --memory (VMs in memory alone), npm test -- --no-hypervisor."

# as_root COMMAND...: sudo would drop the PATH that leads to the project's own Node, and the variables that it reads.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  sudo env PATH="$PATH" ${CI+CI="$CI"} ${BOOTWRIGHT_FIXTURES+BOOTWRIGHT_FIXTURES="$BOOTWRIGHT_FIXTURES"} \
    ${BOOTWRIGHT_CACHE+BOOTWRIGHT_CACHE="$BOOTWRIGHT_CACHE"} "$@"
}

# libvirt cuts the power of a guest and waits until its process is gone for good. The first process of a container often
# takes a second to collect it, where systemd takes none; so what runs here runs below a process that collects at once
# (prctl's PR_SET_CHILD_SUBREAPER, by its numbers on amd64). `all COMMAND...` lasts until all that COMMAND left has ended,
# `first COMMAND...` until COMMAND itself has, and ends as it did.
reaper='
  syscall(157, 36, 1, 0, 0, 0) == 0 or die "prctl: $!\n";
  my $last = shift;
  $0 = "collecting what $ARGV[0] leaves";
  my $first = fork // die "fork: $!\n";
  exec(@ARGV) || die "$ARGV[0]: $!\n" unless $first;
  for my $signal (qw(TERM HUP)) { $SIG{$signal} = sub { kill $signal => $first if $last eq "first" } }
  $SIG{INT} = sub {}; # a terminal sends it to both
  while ((my $ended = wait) != -1 || $!{EINTR}) {
    next if $ended != $first;
    exit($? & 127 ? 128 + ($? & 127) : $? >> 8) if $last eq "first";
    open STDERR, ">", "/dev/null";
  }'
can_reap() { [ ! -d /run/systemd/system ] && [ "$(uname -m)" = x86_64 ] && command -v perl setsid >/dev/null; }

# ---------------------------------------------------------------------------------------------------- node modules
install_node_modules() {
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
  if [ "$major" -lt 20 ] || ! command -v npm >/dev/null; then
    unavailable "Node 20 or later with npm is needed; found: $(node -v 2>/dev/null || echo no Node)."
  fi
  say "installing the node modules that package-lock.json names"
  # npm would compile better-sqlite3, which brings its binary along (the lock file does not tell npm so), and there may
  # be no compiler. So no install step runs but the two that put Node and Deno in their places.
  npm ci --ignore-scripts --include=dev --loglevel=error --no-audit --no-fund >&2
  npm rebuild node deno --loglevel=error >&2
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)' ||
    unavailable "node_modules/.bin/node is not Node 24 or later: \"npm rebuild node deno\" did not install it."
}
marker=node_modules/.package-lock.json
if [ ! -e "$marker" ] || [ ! -x node_modules/.bin/node ] || [ package-lock.json -nt "$marker" ]; then
  install_node_modules
fi

# ------------------------------------------------------------------------------------------------------------ page
# Built anew only where its sources are others.
node scripts/page.ts || unavailable "the web page could not be built: node scripts/page.ts"

# -------------------------------------------------------------------------------------------------------- packages
# What runs guests: QEMU, firmware for UEFI, a TPM, and libvirt with its QEMU driver.
packages="qemu-system-x86 qemu-utils ovmf swtpm swtpm-tools"
[ "$hypervisor" = qemu ] || packages="$packages libvirt-daemon-system libvirt-daemon-driver-qemu"
# What the unattended installer and the boot sector images are built with (test/fixtures).
packages="$packages xorriso isolinux syslinux-common extlinux busybox-static e2fsprogs cpio kmod
  grub-common grub-efi-amd64-bin mtools dosfstools"
# What tests ask for beyond that: access control lists on the way to an image, a look at what a process does with files, and
# a browser.
[ "$hypervisor" = qemu ] || packages="$packages acl strace chromium"

require_root() {
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    unavailable "root is needed to $1, and there is no sudo." "Run the same command as root." "$without_hypervisor"
  fi
}
install_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    unavailable "this script installs packages on Debian only. Bootwright needs here:" \
      "QEMU for x86-64 with qemu-img, OVMF, swtpm, libvirt with its QEMU driver (libvirtd, virtlogd, virsh)," \
      "and for the story's installer ISO: xorriso, isolinux, extlinux, GRUB for x86_64-efi, mtools, dosfstools, busybox." \
      "$without_hypervisor"
  fi
  [ "$(dpkg --print-architecture)" = amd64 ] ||
    unavailable "the guests are built from Debian's amd64 packages, and this machine is $(dpkg --print-architecture)." \
      "$without_hypervisor"
  # shellcheck disable=SC2086 # a list of words
  installed=$(LC_ALL=C dpkg-query -W -f '${db:Status-Status} ${Package}\n' $packages 2>/dev/null | sed -n 's/^installed //p')
  missing=
  for package in $packages; do
    echo "$installed" | grep -qx "$package" || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  require_root "install packages"
  say "installing$missing: for guests, the installer ISO that they boot, and their tests"
  # shellcheck disable=SC2086 # a list of words
  as_root sh -c 'export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends "$@" </dev/null >/tmp/bootwright-setup.log 2>&1' install $missing || {
    tail -n 20 /tmp/bootwright-setup.log >&2
    unavailable "apt-get could not install:$missing (all of its output: /tmp/bootwright-setup.log)." "$without_hypervisor"
  }
}

# --------------------------------------------------------------------------------------------------------- daemons
# The log daemon must run beside libvirt's own: it writes the guests' serial logs, and a libvirtd that runs as root
# does not start it by itself.
listening() {
  LC_ALL=C node -e '
    const { connect } = require("node:net");
    const fail = () => process.exit(1);
    const socket = connect(process.argv[1], () => process.exit(0)).on("error", fail);
    socket.setTimeout(2000, fail);' "$1"
}
log_daemon_answers() { listening /run/libvirt/virtlogd-sock; }
# One daemon for everything, or one for QEMU alone: whichever this machine has.
libvirt_answers() { listening /run/libvirt/libvirt-sock || listening /run/libvirt/virtqemud-sock; }

# start NAME: through systemd where it runs (its sockets start the daemon when they are asked), otherwise directly.
start() {
  if [ -d /run/systemd/system ]; then
    as_root systemctl start "$1.socket" || as_root systemctl start "$1.service"
  elif can_reap; then
    as_root setsid -f perl -e "$reaper" -- all "$1" -d </dev/null >/dev/null
  else
    as_root "$1" -d
  fi
}
wait_for() {
  tries=0
  until "$1"; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || unavailable "$2 was started and does not answer on its socket below /run/libvirt." \
      "Its own words: journalctl -u $2, or start it in the foreground with: $2" "$without_hypervisor"
    sleep 0.1
  done
}
# libvirt's own probe opens /dev/kvm as root, its guests as group kvm. Where udev has not given the device to the group
# the two disagree, and libvirt throws its cache of QEMU's capabilities away and fills it anew, for seconds, at every call.
share_kvm() {
  [ -c /dev/kvm ] && [ ! -e /run/udev/control ] || return 0
  [ "$(stat -c %a:%G /dev/kvm)" = 600:root ] || return 0
  say "giving /dev/kvm to group kvm, as udev would"
  as_root sh -c 'chgrp kvm /dev/kvm && chmod 660 /dev/kvm'
}
start_daemons() {
  if ! log_daemon_answers; then
    say "starting virtlogd"
    start virtlogd
    wait_for log_daemon_answers virtlogd
  fi
  if ! libvirt_answers; then
    daemon=libvirtd
    command -v libvirtd >/dev/null || daemon=virtqemud
    say "starting $daemon"
    start "$daemon"
    wait_for libvirt_answers "$daemon"
  fi
}

case $hypervisor in
  yes)
    require_root "install packages, start libvirt and read the guests' serial logs"
    install_packages
    share_kvm
    start_daemons
    ;;
  qemu) install_packages ;;
esac

[ $# -gt 0 ] || exit 0
# Root reads what guests of libvirt's write to their serial lines; without it there is nothing that needs it.
if [ "$hypervisor" != yes ]; then exec "$@"; fi
can_reap && set -- perl -e "$reaper" -- first "$@"
# A signal is for the command, not for a shell that waits for it.
if [ "$(id -u)" = 0 ]; then exec "$@"; fi
as_root "$@"
