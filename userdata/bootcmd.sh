# shellcheck shell=sh
# The first commands of every boot: without network, packages or files, arm the dead-man switch. A line between at signs
# is replaced by the file that it names.
mkdir -p /opt/fleet/bin /etc/fleet /etc/systemd/system/sysinit.target.wants
cat >/opt/fleet/bin/dead-man.sh <<'END-OF-FILE'
@dead-man.sh@
END-OF-FILE
chmod 755 /opt/fleet/bin/dead-man.sh
cat >/etc/systemd/system/fleet-dead-man.service <<'END-OF-FILE'
@fleet-dead-man.service@
END-OF-FILE
ln -sf ../fleet-dead-man.service /etc/systemd/system/sysinit.target.wants/fleet-dead-man.service
/opt/fleet/bin/dead-man.sh begin @lease@ ||
    systemd-run --no-block --timer-property=DefaultDependencies=no --property=DefaultDependencies=no --on-active=1800 \
        systemctl poweroff --force
