# Puts the fakes where the real programs lie.
ln -s /usr/local/bin/busybox /bin/sh
printf '#!/bin/sh\nexec sh "$@"\n' >/bin/bash
printf '#!/bin/sh\nexec /fake/coach.sh\n' >/usr/local/bin/python3
chmod 755 /bin/bash /usr/local/bin/python3 /fake/*.sh
cp /usr/local/bin/python3 /usr/local/bin/python
: >/root/sagemaker-venv/bin/activate
: >/opt/ml/code/rl_coach/start.py
ln -s /fake/simulator.sh /opt/ml/code/run.sh
ln -s /fake/trainer.sh /opt/ml/code/sage-train.sh
ln -s /fake/trainer.sh /usr/local/bin/train
