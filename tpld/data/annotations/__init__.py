"""Files of annotation tools: which format they have, what they say, and label maps as such files.

One module a format, with its reader and, where pseudo labels go back to the tool, its writer:
`labelme`, `coco`, `cvat`, `voc`, `labelstudio`. `recognise` tells which one a file or folder has.
"""

from tpld.data.annotations.recognise import recognise

__all__ = ["recognise"]
