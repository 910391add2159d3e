#!/bin/sh
# Runs one itopsync command just as the service runs: with its account, its passwords and its state directory.
# Installed as /usr/local/sbin/itopsync, so that an operator types: sudo itopsync status
# or, for the pair of itopsync@acme.service: sudo itopsync @acme status
case "$1" in
  @*) place=itopsync/${1#@}; shift ;;
  *) place=itopsync ;;
esac
if [ -t 0 ] && [ -t 1 ]; then stream=--pty; else stream=--pipe; fi
exec systemd-run --quiet --wait --collect "$stream" \
  --property=User=itopsync \
  --property=LoadCredential=external:/etc/$place/credentials/external \
  --property=LoadCredential=internal:/etc/$place/credentials/internal \
  --property=StateDirectory=$place \
  --property=StateDirectoryMode=0700 \
  --property=UMask=0077 \
  /opt/itopsync/bin/itopsync --config /etc/$place/sync.toml "$@"
