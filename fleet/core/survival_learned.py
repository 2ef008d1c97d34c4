"""How long machines live and pools stay refused. Written by scripts/calibrate_survival.py: do not edit."""

from __future__ import annotations

from typing import Any

LEARNED: dict[str, Any] = {
    "provenance": {
        "by": "scripts/calibrate_survival.py",
        "on": "2026-11-26",
        "from": "availability and preemption traces of AWS spot machines (K80, V100; November 2022 to April 2023)",
        "traces": [
            "availability/1-node/aws-2022-11-07/us-west-2a_k80_1",
            "availability/1-node/aws-2022-11-07/us-west-2a_k80_8",
            "availability/1-node/aws-2022-11-07/us-west-2a_v100_1",
            "availability/1-node/aws-2022-11-07/us-west-2a_v100_8",
            "availability/1-node/aws-2022-11-07/us-west-2b_k80_1",
            "availability/1-node/aws-2022-11-07/us-west-2b_k80_8",
            "availability/1-node/aws-2022-11-07/us-west-2b_v100_1",
            "availability/1-node/aws-2022-11-07/us-west-2b_v100_8",
            "availability/1-node/aws-2022-11-28/us-west-2a_k80_1",
            "availability/1-node/aws-2022-11-28/us-west-2a_k80_8",
            "availability/1-node/aws-2022-11-28/us-west-2a_v100_1",
            "availability/1-node/aws-2022-11-28/us-west-2a_v100_8",
            "availability/1-node/aws-2022-11-28/us-west-2b_k80_1",
            "availability/1-node/aws-2022-11-28/us-west-2b_k80_8",
            "availability/1-node/aws-2022-11-28/us-west-2b_v100_1",
            "availability/1-node/aws-2022-11-28/us-west-2b_v100_8",
            "availability/1-node/aws-2022-12-13/us-west-2a_k80_1",
            "availability/1-node/aws-2022-12-13/us-west-2a_k80_8",
            "availability/1-node/aws-2022-12-13/us-west-2a_v100_1",
            "availability/1-node/aws-2022-12-13/us-west-2a_v100_8",
            "availability/1-node/aws-2022-12-13/us-west-2b_k80_1",
            "availability/1-node/aws-2022-12-13/us-west-2b_k80_8",
            "availability/1-node/aws-2022-12-13/us-west-2b_v100_1",
            "availability/1-node/aws-2022-12-13/us-west-2b_v100_8",
            "availability/1-node/aws-2023-02-15/us-east-1a_v100_1",
            "availability/1-node/aws-2023-02-15/us-east-1c_v100_1",
            "availability/1-node/aws-2023-02-15/us-east-1d_v100_1",
            "availability/1-node/aws-2023-02-15/us-east-1f_v100_1",
            "availability/1-node/aws-2023-02-15/us-east-2a_v100_1",
            "availability/1-node/aws-2023-02-15/us-east-2b_v100_1",
            "availability/1-node/aws-2023-02-15/us-west-2a_v100_1",
            "availability/1-node/aws-2023-02-15/us-west-2b_v100_1",
            "availability/1-node/aws-2023-02-15/us-west-2c_v100_1",
            "preemption/1-node/aws-2023-04-22/us-east-1f_v100_1",
            "preemption/1-node/aws-2023-04-22/us-west-2b_v100_1",
        ],
    },
    "age_until_seconds": [600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0],
    "classes": {
        "one": {
            "up": {
                "hazard_per_hour": [1.1455, 0.9925, 0.7637, 0.6318, 0.4099, 0.2341, 0.1533, 0.1175, 0.0434],
                "shape": 10.461,
            },
            "down": {
                "hazard_per_hour": [2.8872, 2.2214, 2.0368, 1.0294, 0.6599, 0.4861, 0.4753, 0.2918, 0.0642],
                "shape": 1.996,
            },
            "share": {"had": 0.919, "refused": 0.505},
            "pools": 23,
            "ends": 1964,
            "machine_hours": 6743,
        },
        "several": {
            "up": {
                "hazard_per_hour": [2.6675, 1.6657, 1.3105, 1.0748, 0.7282, 0.4465, 0.2856, 0.1337, 0.0481],
                "shape": 14.436,
            },
            "down": {
                "hazard_per_hour": [4.2451, 1.634, 1.3118, 1.1502, 0.5145, 0.318, 0.2171, 0.1391, 0.0367],
                "shape": 5.493,
            },
            "share": {"had": 2.564, "refused": 2.815},
            "pools": 12,
            "ends": 2509,
            "machine_hours": 2327,
        },
    },
}
