"""The custom resources that we write, as JSON schemas of the fields that we use, from their operators' documentation.

KEDA 2.16-2.18 (scaledobject-spec, authentication, the rabbitmq and cpu scalers), RabbitMQ Cluster Operator 2
(api/v1beta1), MongoDB Community Operator (api/v1). A field that is not here is a misspelt one, or one to look up.
"""

from typing import Any

Schema = dict[str, Any]


def _record(required: str = "", /, **fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": required.split(), "additionalProperties": False}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


def _one_of(*values: str) -> Schema:
    return {"enum": list(values)}


TEXT: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 1}
NUMBER_AS_TEXT: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
BOOLEAN_AS_TEXT = _one_of("true", "false")
QUANTITY: Schema = {"type": ["string", "integer"]}
ANYTHING: Schema = {"type": "object"}  # checked by its own kind's schema, or free by definition
RESOURCES = _record("requests limits", requests=ANYTHING, limits=ANYTHING)

_RABBITMQ_TRIGGER = _record(
    "type metadata authenticationRef",
    type=_one_of("rabbitmq"),
    authenticationRef=_record("name", name=TEXT),
    metadata=_record(
        "protocol mode queueName value excludeUnacknowledged",
        host={"type": "string", "pattern": r"^https?://[^@/]+/$"},
        protocol=_one_of("http", "amqp", "auto"),
        mode=_one_of("QueueLength", "MessageRate"),
        queueName=TEXT,
        value=NUMBER_AS_TEXT,
        activationValue=NUMBER_AS_TEXT,
        vhostName=TEXT,
        useRegex=BOOLEAN_AS_TEXT,
        operation=_one_of("sum", "max", "avg"),
        excludeUnacknowledged=BOOLEAN_AS_TEXT,
    ),
)
_CPU_TRIGGER = _record(
    "type metricType metadata",
    type=_one_of("cpu"),
    metricType=_one_of("Utilization", "AverageValue"),
    metadata=_record("value", value=NUMBER_AS_TEXT, containerName=TEXT),
)
_SCALE_DOWN = _record(
    stabilizationWindowSeconds=COUNT,
    policies=_list(
        _record("type value periodSeconds", type=_one_of("Pods", "Percent"), value=COUNT, periodSeconds=COUNT)
    ),
)
_HPA = _record(behavior=_record(scaleDown=_SCALE_DOWN))

SPECS: dict[tuple[str, str], Schema] = {
    ("keda.sh/v1alpha1", "ScaledObject"): _record(
        "scaleTargetRef triggers",
        scaleTargetRef=_record("name", name=TEXT, kind=TEXT, apiVersion=TEXT),
        pollingInterval=COUNT,
        cooldownPeriod=COUNT,
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        advanced=_record(horizontalPodAutoscalerConfig=_HPA),
        triggers=_list({"oneOf": [_RABBITMQ_TRIGGER, _CPU_TRIGGER]}),
    ),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): _record(
        "secretTargetRef",
        secretTargetRef=_list(
            _record("parameter name key", parameter=_one_of("host", "username", "password"), name=TEXT, key=TEXT)
        ),
    ),
    ("rabbitmq.com/v1beta1", "RabbitmqCluster"): _record(
        "replicas",
        replicas=_one_of(1, 3, 5),  # type: ignore[arg-type]  # other numbers have no useful majority
        image=TEXT,
        imagePullSecrets=_list(_record("name", name=TEXT)),
        service=ANYTHING,
        persistence=_record(storageClassName=TEXT, storage=QUANTITY),
        resources=RESOURCES,
        affinity=ANYTHING,
        tolerations={"type": "array"},
        rabbitmq=_record(
            additionalPlugins=_list({"type": "string", "pattern": r"^\w+$"}),
            additionalConfig={"type": "string", "maxLength": 2000},
            advancedConfig=TEXT,
            envConfig=TEXT,
        ),
        tls=_record("secretName", secretName=TEXT, caSecretName=TEXT),
        terminationGracePeriodSeconds=COUNT,
        override=_record(statefulSet=_record(spec=_record(template=_record(spec=ANYTHING, metadata=ANYTHING)))),
    ),
    ("mongodbcommunity.mongodb.com/v1", "MongoDBCommunity"): _record(
        "type members version security users",
        type=_one_of("ReplicaSet"),
        members=COUNT,
        version={"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
        featureCompatibilityVersion=TEXT,
        security=_record(
            "authentication",
            authentication=_record(
                "modes",
                modes=_list(_one_of("SCRAM", "SCRAM-SHA-256", "SCRAM-SHA-1")),
                ignoreUnknownUsers={"type": "boolean"},
            ),
            tls=ANYTHING,
        ),
        users=_list(
            _record(
                "name passwordSecretRef roles scramCredentialsSecretName",
                name=TEXT,
                db=TEXT,
                passwordSecretRef=_record("name", name=TEXT, key=TEXT),
                roles=_list(_record("name db", name=TEXT, db=TEXT)),
                scramCredentialsSecretName={"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
            )
        ),
        statefulSet=_record("spec", spec=ANYTHING),
        additionalMongodConfig=ANYTHING,
    ),
}
