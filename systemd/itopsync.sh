#!/bin/sh
# Runs one itopsync command just as the service runs: with its account, its passwords and its state directory.
# Installed as /usr/local/sbin/itopsync, so that an operator types: sudo itopsync status
# or, for the pair of itopsync@acme.service: sudo itopsync @acme status
case "$1" in
  @*) place=itopsync/${1#@} unit=itopsync$1; shift ;;
  *) place=itopsync unit=itopsync ;;
esac
# what the shell asks for completion needs none of that
if [ -n "${_ITOPSYNC_COMPLETE-}" ]; then exec /opt/itopsync/bin/itopsync "$@"; fi
if [ -t 0 ] && [ -t 1 ]; then stream=--pty; else stream=--pipe; fi
# the account of the unit: with another one systemd would hand the state directory over to that
account=$(systemctl show --property=User --value "$unit.service" 2>/dev/null)
set -- /opt/itopsync/bin/itopsync --config "/etc/$place/sync.toml" "$@"
# every password that is there, as what stands in the unit and in what was added to it
for password in "/etc/$place/credentials"/*; do
  [ -f "$password" ] && set -- "--property=LoadCredential=${password##*/}:$password" "$@"
done
exec systemd-run --quiet --wait --collect "$stream" \
  --property=User="${account:-itopsync}" \
  --property=StateDirectory=$place \
  --property=StateDirectoryMode=0700 \
  --property=UMask=0077 \
  "--setenv=ITOPSYNC_ACTOR=${ITOPSYNC_ACTOR:-${SUDO_USER:-$(id -un)}}" \
  "$@"
