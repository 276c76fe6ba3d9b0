"""Names of classes by the constants that torchvision's files of models import."""

from ._api import categories_of

__all__: list[str] = []

_IMAGENET_CATEGORIES = categories_of({"categories": "imagenet1k"})
_COCO_CATEGORIES = categories_of({"categories": "coco"})
_COCO_PERSON_CATEGORIES = categories_of({"categories": "coco_person"})
_COCO_PERSON_KEYPOINT_NAMES = categories_of({"categories": "coco_person_keypoints"})
_VOC_CATEGORIES = categories_of({"categories": "voc"})
